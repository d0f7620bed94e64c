"""Marks: a few numbers by which an image is known again, wherever it comes along. N images, M images, K numbers.

A mark is linear in the image, so that a mixture of two images has the same mixture of their marks.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["between", "known", "marks"]

NUMBERS = 8
MOST_VALUES = 16384  # of an image; of larger ones every so many-th is taken
SAME = 2e-3  # of an image's own mark: what half precision and another order of sums may change
ON_THE_LINE = 2e-2


def marks(images: Tensor) -> Tensor:
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
