"""Which of the batches that D was shown in one of its phases are real, and which come from G. Never a guess.

A batch is known as G's by its marks or by the graph that leads back to G. Of the others it has to be certain what they are:
a gradient penalty's mixtures lie between a real and a fake, a second look at the same images is no new batch, and what
then remains is real only if there were as many batches of G's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganglion.watching.marks import between, known

__all__ = ["Call", "Sorted", "sort_calls"]


@dataclass
class Call:
    """One forward pass of D."""

    images: Tensor
    """(N, ...), detached."""
    marks: Tensor
    """(N, K)"""
    rows: Tensor
    """(N,): what D said."""
    arguments: tuple[Any, ...] = ()
    """What D was given beside the images."""
    from_g: bool = False
    """Whether a graph leads back from the images."""
    wants_slope: bool = False
    """Whether the gradient at the images themselves was asked for, as penalties do."""
    pull: Tensor | None = field(default=None, repr=False)
    """(N,): gradient of the loss at what D said, once it is there."""


@dataclass(frozen=True)
class Sorted:
    """Rows of D's phase. `reason` says why nothing is known, where it is so."""

    real: list[tuple[Call, Tensor]]
    """Calls, and which of their rows (bool (N,))."""
    fake: list[tuple[Call, Tensor]]
    reason: str | None = None


def sort_calls(calls: list[Call], drawn: list[Tensor]) -> Sorted:
    """What the calls of one phase of D were about; `drawn` are the marks of G's newest batches."""
    fake, rest = [], []
    for call in calls:
        same = [marks for marks in drawn if marks.shape[1] == call.marks.shape[1]]
        mask = known(call.marks, torch.cat(same)) if same else torch.zeros(len(call.marks), dtype=torch.bool)
        if bool(mask.any()):
            fake.append((call, mask))
        if not bool(mask.all()):
            rest.append((call, ~mask))
    mixtures = [call for call, _ in rest if _lies_between(call, rest, drawn)]  # some may lie all but at a fake
    fake, rest = (
        [(call, mask) for call, mask in side if not any(call is other for other in mixtures)] for side in (fake, rest)
    )
    mixed = [(call, mask) for call, mask in rest if not bool(mask.all())]
    whole = [call for call, mask in rest if bool(mask.all())]
    fake += [(call, _all(call)) for call in whole if call.from_g]
    whole = _without_repeats([call for call in whole if not call.from_g])
    if any(not call.wants_slope for call in whole):
        whole = [call for call in whole if not call.wants_slope]
    fake = [(call, mask) for call, mask in fake if not call.from_g] or fake  # the others are G's own phase
    real = mixed + [(call, _all(call)) for call in whole]
    if real and not fake:
        return Sorted([], [], "no batch at D's input is one that G drew: are samples changed after they are detached?")
    if len(whole) > max(1, len(fake)) and not mixed:
        return Sorted([], [], "D is shown several kinds of batches, and it cannot be told which of them are real")
    return Sorted(real, fake, None if real and fake else "D was not shown both real and generated images in a phase")


def _lies_between(call: Call, rest: list[tuple[Call, Tensor]], drawn: list[Tensor]) -> bool:
    """Whether these images are mixtures of a real and a fake."""
    others = [other.marks[mask] for other, mask in rest if other is not call]
    return any(between(call.marks, reals, fakes) for reals in others for fakes in drawn)


def _without_repeats(calls: list[Call]) -> list[Call]:
    kept: list[Call] = []
    for call in calls:
        if not any(
            call.marks.shape == other.marks.shape and bool(known(call.marks, other.marks).all()) for other in kept
        ):
            kept.append(call)
    return kept


def _all(call: Call) -> Tensor:
    return torch.ones(len(call.marks), dtype=torch.bool, device=call.marks.device)
