"""Names of numbers as people choose them, word by word: whose number it is, of what kind, on which side, of which term."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from ganglion.doctor.readers.vocabulary import (
    CHINESE,
    COUNTERS,
    KINDS,
    NOT_A_COUNT,
    OF_COUNTERS,
    PLAYERS,
    SETTINGS_WORDS,
    SIDES,
    SPLITS,
    STATISTICS,
    TERMS,
    TWO_WAYS,
)

__all__ = ["Name", "named", "tells", "words_of"]


class Name(NamedTuple):
    """What the words of a name say. Empty where they say nothing."""

    player: str = ""
    """`d` or `g`."""
    kind: str = ""
    """loss, probability, score, logit, accuracy, sign, grad, lr, weight; a metric (fid, kid, ...); or a counter."""
    side: str = ""
    """`real` or `fake`: on which images."""
    term: str = ""
    """Of a loss: adversarial, total, r1, gp, l1, cycle, ..."""
    pair: str = ""
    """`a` or `b` where two pairs of networks are trained."""
    split: str = ""
    """`val` for numbers of other images than those of the training."""
    statistic: str = ""
    """mean, epoch, std, min, max, best: of values, instead of the value."""


OPINIONS = re.compile(
    r"\b(?:net)?d(?:is|isc)?_?\(\s*(?:g\w*\s*\(\s*\w*(?:,\s*\w+)*\s*\)|g_?z\d?|sr\d?|fake\w*|\w*fake|x_?hat|x_?tilde|gen\w*)(?:,\s*\w+)*\s*\)"
    r"|(\b(?:net)?d(?:is|isc)?_?\(\s*(?:x|y|hr|gt|real\w*|\w*real|img|true\w*|data)(?:,\s*\w+)*\s*\))",
    re.I,
)
"""`D(x)` and `D(G(z))`, of which the first has a group."""
SHORT = re.compile(r"([dcD])_?(?:([12rfx])|([gG]_?[zZ])_?\d?)")
"""`d1` and `d2` of a loop that trains D on reals, then on fakes; `dr`, `df`; `d_x` and `d_g_z1`."""


def words_of(name: str) -> list[str]:
    """Lower-case words of a name: `netD_lossReal` is net, d, loss, real."""
    if not name.isascii():
        for word, english in CHINESE.items():
            name = name.replace(word, f" {english} ")
        name = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    text = re.sub(r"([A-Z])([A-Z][a-z])", r"\1 \2", text)
    return re.findall(r"[^\W_]+", text.lower())


@lru_cache(maxsize=20_000)
def named(name: str, heading: str = "") -> Name:
    """What a name says; what it leaves open is taken from its heading."""
    own = _read(name)
    if not heading or own.kind in COUNTER_KINDS:
        return own
    over = _read(heading)
    kind = own.kind or over.kind
    if own.kind in ("", "loss") and over.kind in ("accuracy", "logit", "probability", "score") and own.term == "":
        kind = over.kind if own.kind == "" else own.kind
    return Name(
        own.player or over.player, kind, own.side or over.side, own.term or over.term, own.pair or over.pair,
        own.split or over.split, own.statistic or over.statistic,
    )  # fmt: skip


COUNTER_KINDS = frozenset(COUNTERS.values()) | {"step"}


def _read(name: str) -> Name:
    name = re.sub(r"__(MIN|MAX)$", r" \1", name.split(" - ")[-1] if re.search(r" - \S+$", name) else name)
    if match := SHORT.fullmatch(name.strip()):
        side = "real" if match[2] in ("1", "r", "x") else "fake"
        return Name("d", "opinion" if match[3] or match[2] == "x" else "loss", side)
    if match := OPINIONS.search(name):
        rest = _read(name[: match.start()] + " " + name[match.end() :])
        return rest._replace(player="d", kind=rest.kind or "opinion", side="real" if match[1] else "fake")
    words = words_of(name)
    if counter := _counter(words) or _counter_at_end(name, words) or _counter_under(name):
        return Name(kind=counter)
    words = [part for word in words for part in _unglued(word)]
    player = next((PLAYERS[word] for word in words if word in PLAYERS), "")
    if not player and words[:1] == ["c"] and (len(words) == 1 or words[1] in KINDS or words[1] in SIDES):
        player = "d"  # c_loss: of a critic
    if not player and words == ["loss", "c"]:
        player = "d"
    side = next((SIDES[word] for word in words if word in SIDES), "")
    term = _term(words)
    kind = _kind(words, player, term, side)
    if not kind and not term and any(COUNTERS.get(word) in ("step", "epoch", "batch") for word in words):
        return Name()  # D_step counts the updates of D, and is no number of D's
    pair = next((TWO_WAYS[word] for word in words if word in TWO_WAYS and len(words) > 1), "")
    if player == "d" and side == "fake" and words[-1] in ("g", "gen"):
        player, side, term = (
            "g",
            "",
            "adversarial",
        )  # loss_disc_fake_g of MMGeneration: D's output on fakes, in G's update
    split = next((SPLITS[word] for word in words if word in SPLITS), "")
    statistic = next((STATISTICS[word] for word in words if word in STATISTICS), "")
    return Name(player, kind, side, term, pair, split, statistic)


UNGLUE = re.compile(
    r"^(loss|err|acc|grad|lr|net|real|fake|adv|gan|out|prob|logit|score)(d|g|a|b|real|fake|adv|gan|loss)$"
)
FIRST_PLAYER = re.compile(
    r"^(d|g|disc|dis|gen|discriminator|generator|critic)(loss|losses|real|fake|err|acc|gan|adv|cost|logits?|score|grad|lr|[ab])$"
)


def _unglued(word: str) -> list[str]:
    """`dloss` as d, loss; `da` as d, a."""
    match = UNGLUE.match(word) or FIRST_PLAYER.match(word)
    if match and word not in ("data",):
        return [match[1], match[2]]
    match = re.match(r"^(d|g|r1|l1|l2|fid|loss|real|fake|gz|z)\d?$", word)
    return [match[1]] if match else [word]


def _counter(words: list[str]) -> str:
    """The kind of counter that a name is, if every word of it is one of a counter's."""
    kinds = [COUNTERS[word] for word in words if word in COUNTERS]
    if not kinds or not all(word in COUNTERS or word in OF_COUNTERS for word in words):
        return ""
    if words[-1] in ("g", "gen", "generator", "size") or words == ["it", "s"]:
        return ""
    if kinds[-1] == "epoch" and len(kinds) > 1:
        return "step" if words[-1] not in ("epoch", "epochs") else "epoch"
    if kinds[0] == "batch" and "done" in words:
        return "step"
    return kinds[-1] if kinds[-1] != "images" or len(words) < 4 else ""


def _counter_at_end(name: str, words: list[str]) -> str:
    """The kind of counter at the end of a phrase that otherwise measures nothing: `finished the epoch`."""
    phrase = name.split()
    if (
        len(phrase) < 2
        or not words
        or (kind := COUNTERS.get(words[-1], "")) not in ("epoch", "step")
        or words[-1] in ("i", "it", "its")
    ):
        return ""
    others = set(words[:-1])
    known = KINDS.keys() | TERMS.keys() | PLAYERS.keys() | SIDES.keys() | STATISTICS.keys() | NOT_A_COUNT
    return kind if len(words_of(phrase[-1])) == 1 and not (others - COUNTERS.keys()) & known else ""


def _counter_under(name: str) -> str:
    """The kind of counter at the end of a path whose folders measure nothing: `data/step`."""
    folders, _, last = name.replace(".", "/").rpartition("/")
    above = set(words_of(folders))
    if not folders or not (kind := _counter(words_of(last))) or above & (NOT_A_COUNT | SETTINGS_WORDS):
        return ""
    said = _read(folders)
    return kind if above == {"time"} or not (said.player or said.term or said.side or said.kind) else ""


def _term(words: list[str]) -> str:
    found = [TERMS[word] for word in words if word in TERMS]
    text = " ".join(words)
    if "gradient penalty" in text or "grad penalty" in text or "gradient pen" in text:
        return "gp"
    if "path length" in text:
        return "pl"
    if "penalty" in words and "r1" not in words and not found:
        return "gp" if "grad" in text else "penalty"
    if "adversarial" in found and set(found) <= {"adversarial", "l1", "l2"}:
        return "adversarial"  # mse_gan: of least squares
    specific = [term for term in found if term not in ("adversarial", "total")]
    if specific:
        return "reconstruction" if specific[0] == "l2" and "reconstruction" in specific else specific[0]
    return found[0] if found else ""


def _kind(words: list[str], player: str, term: str, side: str) -> str:
    text = " ".join(words)
    if "learning rate" in text or "lr" in words:
        return "lr"
    if "inception score" in text or words in (["is"], ["is", "mean"]):
        return "inception"
    if term == "gp" or ("penalty" in words):
        return "loss"
    found = [KINDS[word] for word in words if word in KINDS and not (word in ("l", "p", "rate") and len(words) == 1)]
    for metric in (
        "fid",
        "kid",
        "precision",
        "recall",
        "ppl",
        "psnr",
        "ssim",
        "time",
        "memory",
        "sign",
        "accuracy",
        "grad",
        "lr",
    ):
        if metric in found:
            return metric
    if "distance" in found or "w dist" in text or "wdist" in words or "em distance" in text:
        return "distance"
    scored = [kind for kind in found if kind in ("logit", "score", "probability")]
    if scored and (words[0] in ("loss", "losses") or "loss" not in found or found[0] != "loss"):
        return "logit" if "logit" in scored else scored[0]
    if "loss" in found:
        return "loss"
    return scored[0] if scored else ""


@lru_cache(maxsize=5_000)
def tells(heading: str) -> bool:
    """Whether a heading adds to what the names under it mean."""
    own = _read(heading)
    return bool(
        own.player
        or own.side
        or own.split
        or own.kind in ("loss", "accuracy", "logit", "score", "probability", "grad", "lr")
    )
