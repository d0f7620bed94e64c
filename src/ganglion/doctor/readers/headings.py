"""What a number's name leaves out: the network that its line or the words before it are about, or a label behind it."""

from __future__ import annotations

import re

from ganglion.doctor.readers.columns import Place
from ganglion.doctor.readers.names import COUNTER_KINDS, named
from ganglion.doctor.readers.skeleton import FLOAT, INT

__all__ = ["COUNTED", "context_of", "is_known", "label_behind", "player_in", "whose_line"]


LABEL = re.compile(r"%?(?:\s+([A-Za-z][\w./-]*(?: [A-Za-z][\w./-]*){0,2})\s*(?=[,;)\]|]|$)|\s?\(([A-Za-z]\w*)\))")
COUNTED = re.compile(rf"\s(iterations|epochs|steps|batches|iters|its?(?=[,;)|]))\b(?!\s*[:=/{INT}{FLOAT}])")
"""`after 20 iterations`"""
WHOSE = re.compile(rf"[^\w{INT}{FLOAT}]*([A-Za-z]\w*)\s*(?:\]\s*:?|\)|\||:|\s-|>)\s*(?=[A-Za-z\[|(])")


def player_in(text: str) -> str:
    """The network that the words before a number name: `training discriminator, loss 0.5`."""
    words = [word for word in re.findall(r"[A-Za-z]{3,}", text) if (said := named(word)).player and not said.kind]
    return words[-1] if len({named(word).player for word in words}) == 1 else ""


def is_known(name: str) -> bool:
    said = named(name)
    return bool(said.kind or said.player or said.term or said.side)


def context_of(place: Place, before: Place | None, whose: str) -> str:
    """The heading of a name: its own, that of its line, or what the name before it says, as in `acc real: 1, fake: 0`."""
    said = named(place.name)
    if said.kind in COUNTER_KINDS or not place.name:
        return ""
    if place.context or said.player:
        return place.context
    if before is not None and said.side and not said.kind and named(before.name, before.context).side:
        words = [word for word in re.split(r"[\s_/]+", before.label) if not named(word).side]
        return " ".join(words)
    return whose


def label_behind(line: str, position: int) -> str:
    """The name that follows a number: `0.7 real_err`, `0.5 (D)`."""
    match = LABEL.match(line, position + 1)
    if not match:
        return ""
    label = match[1] or match[2]
    said = named(label)
    measured = said.kind in ("loss", "accuracy", "probability", "score") or (
        not said.kind and (said.player or said.side)
    )
    return label if measured and not said.statistic else ""


def whose_line(line: str) -> str:
    """The network that a whole line is about: `D | step 10 | loss 0.5`."""
    match = WHOSE.match(line)
    said = named(match[1]) if match else None
    return match[1] if match and said and said.player and not said.kind and not said.side else ""
