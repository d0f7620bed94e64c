"""Sorting of D's input batches into reals and fakes, by fingerprints, without guessing.

A fingerprint is a random linear projection of an image to K numbers, by which the image is recognised later; an interpolate of
two images has the interpolate of their fingerprints. N images, M images."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

__all__ = ["Call", "SortedCalls", "are_interpolates", "fingerprints", "is_known", "sort_calls"]


NUMBERS = 8
MOST_VALUES = 16384  # per image; larger ones are subsampled
SAME = 2e-3  # relative tolerance, for half precision and another order of sums
ON_THE_LINE = 2e-2  # relative tolerance of interpolates


def fingerprints(images: Tensor) -> Tensor:
    """float32 (N, K) of images (N, ...)."""
    rows = images.detach().flatten(1)
    if rows.shape[1] > MOST_VALUES:
        rows = rows[:, :: -(-rows.shape[1] // MOST_VALUES)]
    with torch.autocast(images.device.type, enabled=False):
        found: Tensor = rows.float() @ _directions(rows.shape[1]).to(rows.device)
    return found


def is_known(seen: Tensor, drawn: Tensor) -> Tensor:
    """Which of the fingerprints (N, K) are among others (M, K), as bool (N,)."""
    difference = (seen[:, None] - drawn[None]).abs().amax(2)  # (N, M)
    size = seen.abs().amax(1, keepdim=True).clamp_min(1e-6)  # (N, 1)
    return (difference <= SAME * size).any(1)


def are_interpolates(seen: Tensor, one: Tensor, other: Tensor) -> bool:
    """Whether each fingerprint (N, K) is on the line segment between those of the same row in two other sets (N, K)."""
    if seen.shape != one.shape or seen.shape != other.shape:
        return False
    direction = one - other
    length = direction.square().sum(1).clamp_min(1e-12)  # (N,)
    share = ((seen - other) * direction).sum(1) / length
    residual = (seen - other - share[:, None] * direction).square().sum(1)
    return bool(((residual <= ON_THE_LINE**2 * length) & (share > -1e-3) & (share < 1 + 1e-3)).all())


@lru_cache(maxsize=8)
def _directions(values: int) -> Tensor:
    """Projection (values, K), fixed for each number of values; from a separate random generator."""
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
    """(N,): D's logits."""
    arguments: tuple[Any, ...] = ()
    """D's other arguments."""
    from_g: bool = False
    """Whether the images have an autograd graph."""
    wants_slope: bool = False
    """Whether the images require a gradient themselves, as for penalties."""
    pull: Tensor | None = field(default=None, repr=False)
    """(N,): gradient of the loss at D's output, after the backward pass."""


@dataclass(frozen=True)
class SortedCalls:
    """Reals and fakes of D's step. `reason`: why they could not be identified."""

    real: list[tuple[Call, Tensor]]
    """Calls, with a mask of their rows (bool (N,))."""
    fake: list[tuple[Call, Tensor]]
    reason: str | None = None


def sort_calls(calls: list[Call], drawn: list[Tensor]) -> SortedCalls:
    """Sorts the calls of one step of D; `drawn` are the fingerprints of G's newest batches."""
    fake, rest = [], []
    for call in calls:
        same = [marks for marks in drawn if marks.shape[1] == call.fingerprints.shape[1]]
        mask = (
            is_known(call.fingerprints, torch.cat(same))
            if same
            else torch.zeros(len(call.fingerprints), dtype=torch.bool)
        )
        if bool(mask.any()):
            fake.append((call, mask))
        if not bool(mask.all()):
            rest.append((call, ~mask))
    mixtures = [call for call, _ in rest if _is_mixture(call, rest, drawn)]  # some are almost equal to a fake
    fake, rest = (
        [(call, mask) for call, mask in side if not any(call is other for other in mixtures)] for side in (fake, rest)
    )
    mixed = [(call, mask) for call, mask in rest if not bool(mask.all())]
    whole = [call for call, mask in rest if bool(mask.all())]
    fake += [(call, _all(call)) for call in whole if call.from_g]
    whole = _without_repeats([call for call in whole if not call.from_g])
    if any(not call.wants_slope for call in whole):
        whole = [call for call in whole if not call.wants_slope]
    fake = [(call, mask) for call, mask in fake if not call.from_g] or fake  # the others belong to G's step
    real = mixed + [(call, _all(call)) for call in whole]
    if real and not fake:
        return SortedCalls(
            [], [], "no batch at D's input is an output of G: are samples changed after they are detached?"
        )
    if len(whole) > max(1, len(fake)) and not mixed:
        return SortedCalls([], [], "D gets several kinds of batches, and it is not certain which of them are real")
    return SortedCalls(
        real, fake, None if real and fake else "D did not get both real and generated images in one step"
    )


def _is_mixture(call: Call, rest: list[tuple[Call, Tensor]], drawn: list[Tensor]) -> bool:
    """Whether the images are interpolates of reals and fakes."""
    others = [other.fingerprints[mask] for other, mask in rest if other is not call]
    return any(are_interpolates(call.fingerprints, reals, fakes) for reals in others for fakes in drawn)


def _without_repeats(calls: list[Call]) -> list[Call]:
    kept: list[Call] = []
    for call in calls:
        if not any(
            call.fingerprints.shape == other.fingerprints.shape
            and bool(is_known(call.fingerprints, other.fingerprints).all())
            for other in kept
        ):
            kept.append(call)
    return kept


def _all(call: Call) -> Tensor:
    return torch.ones(len(call.fingerprints), dtype=torch.bool, device=call.fingerprints.device)
