"""Which of the batches that D was shown are real, and which come from G: by fingerprints, and never a guess.

A fingerprint is a few numbers, linear in the image, by which an image is recognised wherever it comes along; a mixture of
two images has the same mixture of their fingerprints. N images, M images, K numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

__all__ = ["Call", "SortedCalls", "between", "fingerprints", "known", "sort_calls"]


NUMBERS = 8
MOST_VALUES = 16384  # of an image; of larger ones every so many-th is taken
SAME = 2e-3  # of an image's own mark: what half precision and another order of sums may change
ON_THE_LINE = 2e-2


def fingerprints(images: Tensor) -> Tensor:
    """float32 (N, K) of images (N, ...)."""
    rows = images.detach().flatten(1)
    if rows.shape[1] > MOST_VALUES:
        rows = rows[:, :: -(-rows.shape[1] // MOST_VALUES)]
    with torch.autocast(images.device.type, enabled=False):
        found: Tensor = rows.float() @ _directions(rows.shape[1]).to(rows.device)
    return found


def known(seen: Tensor, drawn: Tensor) -> Tensor:
    """Which of the marks (N, K) are among others (M, K), as bool (N,)."""
    apart = (seen[:, None] - drawn[None]).abs().amax(2)  # (N, M)
    size = seen.abs().amax(1, keepdim=True).clamp_min(1e-6)  # (N, 1)
    return (apart <= SAME * size).any(1)


def between(seen: Tensor, one: Tensor, other: Tensor) -> bool:
    """Whether each of the marks (N, K) lies on the line between its partners in two other sets (N, K)."""
    if seen.shape != one.shape or seen.shape != other.shape:
        return False
    way = one - other
    length = way.square().sum(1).clamp_min(1e-12)  # (N,)
    share = ((seen - other) * way).sum(1) / length
    off = (seen - other - share[:, None] * way).square().sum(1)
    return bool(((off <= ON_THE_LINE**2 * length) & (share > -1e-3) & (share < 1 + 1e-3)).all())


@lru_cache(maxsize=8)
def _directions(values: int) -> Tensor:
    """(values, K), the same for every image of so many values; from numbers of their own."""
    random = torch.Generator().manual_seed(values)
    return torch.randn(values, NUMBERS, generator=random) / math.sqrt(values)


@dataclass
class Call:
    """One forward pass of D."""

    images: Tensor
    """(N, ...), detached."""
    fingerprints: Tensor
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
class SortedCalls:
    """Rows of D's phase. `reason` says why nothing is known, where it is so."""

    real: list[tuple[Call, Tensor]]
    """Calls, and which of their rows (bool (N,))."""
    fake: list[tuple[Call, Tensor]]
    reason: str | None = None


def sort_calls(calls: list[Call], drawn: list[Tensor]) -> SortedCalls:
    """What the calls of one phase of D were about; `drawn` are the marks of G's newest batches."""
    fake, rest = [], []
    for call in calls:
        same = [marks for marks in drawn if marks.shape[1] == call.fingerprints.shape[1]]
        mask = (
            known(call.fingerprints, torch.cat(same)) if same else torch.zeros(len(call.fingerprints), dtype=torch.bool)
        )
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
        return SortedCalls(
            [], [], "no batch at D's input is one that G drew: are samples changed after they are detached?"
        )
    if len(whole) > max(1, len(fake)) and not mixed:
        return SortedCalls([], [], "D is shown several kinds of batches, and it cannot be told which of them are real")
    return SortedCalls(
        real, fake, None if real and fake else "D was not shown both real and generated images in a phase"
    )


def _lies_between(call: Call, rest: list[tuple[Call, Tensor]], drawn: list[Tensor]) -> bool:
    """Whether these images are mixtures of a real and a fake."""
    others = [other.fingerprints[mask] for other, mask in rest if other is not call]
    return any(between(call.fingerprints, reals, fakes) for reals in others for fakes in drawn)


def _without_repeats(calls: list[Call]) -> list[Call]:
    kept: list[Call] = []
    for call in calls:
        if not any(
            call.fingerprints.shape == other.fingerprints.shape
            and bool(known(call.fingerprints, other.fingerprints).all())
            for other in kept
        ):
            kept.append(call)
    return kept


def _all(call: Call) -> Tensor:
    return torch.ones(len(call.fingerprints), dtype=torch.bool, device=call.fingerprints.device)
