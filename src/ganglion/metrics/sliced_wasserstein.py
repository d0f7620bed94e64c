"""Sliced Wasserstein distance between patches of Laplacian pyramids: a cheap distance between two sets of images.

Karras et al. 2018, "Progressive Growing of GANs", section 5 (arXiv 1710.10196): 7x7 patches of each level of the
pyramid, normalised by channel, compared along random directions. It needs no trained network. Unlike the paper, both
sets are normalised by the mean and standard deviation of the real one, so that wrong brightness and contrast count.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

__all__ = ["SlicedWasserstein", "sliced_wasserstein"]


PATCH = 7
SMALLEST_LEVEL = 8
GRAY_LEVEL = 1 / 127.5  # minimum standard deviation in the normalisation, for uniform images
SCALE = 1000.0  # the paper reports thousandths


def sliced_wasserstein(
    real: Tensor, fake: Tensor, random: np.random.Generator, patches: int = 32, directions: int = 128
) -> float:
    """Mean over pyramid levels of the distance times 1000, as in the paper: 0 for equal sets, rarely above 1000.

    `real` and `fake` are float (N, C, H, W) in [-1, 1] with equal N. Equal `random` gives equal patches and directions.
    """
    return SlicedWasserstein(real, random, patches, directions).to(fake)


class SlicedWasserstein:
    """The same distance from one set to several others: patches, directions and the projections of `real` are computed once."""

    def __init__(self, real: Tensor, random: np.random.Generator, patches: int = 32, directions: int = 128) -> None:
        self._shape = real.shape
        self._levels = [_Level.of(level, random, patches, directions) for level in _pyramid(real)]

    def to(self, fake: Tensor) -> float:
        if fake.shape != self._shape:
            raise ValueError(f"expected two sets of one shape; got {tuple(self._shape)} and {tuple(fake.shape)}")
        levels = zip(self._levels, _pyramid(fake), strict=True)
        return SCALE * float(np.mean([level.distance(images) for level, images in levels]))


class _Level(NamedTuple):
    """A level of the real set's pyramid."""

    corners: tuple[Tensor, Tensor]
    mean: Tensor
    deviation: Tensor
    """Of the patches, (1, C, 1) each."""
    slices: Tensor
    """Random directions as columns (C*49, D)."""
    projections: Tensor
    """Sorted along each direction (N*P, D)."""

    @classmethod
    def of(cls, images: Tensor, random: np.random.Generator, patches: int, directions: int) -> _Level:
        corners = _corners(images, patches, random)
        found = _descriptors(images, corners)
        mean = found.mean(dim=(0, 2), keepdim=True)
        deviation = found.std(dim=(0, 2), keepdim=True, correction=0).clamp_min(GRAY_LEVEL)
        rows = ((found - mean) / deviation).flatten(1)
        slices = _directions(rows.shape[1], directions, random).to(rows.device)
        return cls(corners, mean, deviation, slices, _projections(rows, slices))

    def distance(self, images: Tensor) -> float:
        """Mean over directions of the one-dimensional Wasserstein-1 distance, from sorted projections."""
        rows = ((_descriptors(images, self.corners) - self.mean) / self.deviation).flatten(1)
        return float((self.projections - _projections(rows, self.slices)).abs().mean())


def _pyramid(images: Tensor) -> list[Tensor]:
    """Laplacian levels, and the residual at the last resolution."""
    levels = []
    while min(images.shape[2:]) >= 2 * SMALLEST_LEVEL and not (images.shape[2] % 2 or images.shape[3] % 2):
        half = avg_pool2d(images, 2)
        levels.append(images - interpolate(half, scale_factor=2, mode="bilinear", align_corners=False))
        images = half
    return [*levels, images]


def _corners(images: Tensor, patches: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Row and column of `patches` patches in each image (N, P); the same in both sets, which reduces the variance."""
    n, _, h, w = images.shape
    rows = torch.from_numpy(random.integers(0, h - PATCH + 1, (n, patches))).to(images.device)
    columns = torch.from_numpy(random.integers(0, w - PATCH + 1, (n, patches))).to(images.device)
    return rows, columns


def _descriptors(images: Tensor, corners: tuple[Tensor, Tensor]) -> Tensor:
    """Patches as (N*P, C, 49)."""
    n, c = images.shape[:2]
    offset = torch.arange(PATCH, device=images.device)
    rows = corners[0][..., None, None] + offset[:, None]  # (N, P, 7, 1)
    columns = corners[1][..., None, None] + offset[None, :]  # (N, P, 1, 7)
    which = torch.arange(n, device=images.device)[:, None, None, None]
    found = images.permute(0, 2, 3, 1)[which, rows, columns]  # (N, P, 7, 7, C)
    return found.reshape(-1, PATCH * PATCH, c).transpose(1, 2)  # (N*P, C, 49)


def _directions(dims: int, count: int, random: np.random.Generator) -> Tensor:
    """Random directions of length 1, as columns (A, D)."""
    drawn = torch.from_numpy(random.standard_normal((dims, count), np.float32))
    slices: Tensor = drawn / drawn.norm(dim=0, keepdim=True)
    return slices


def _projections(rows: Tensor, slices: Tensor) -> Tensor:
    """Rows (N, A) along each direction (A, D), sorted (N, D)."""
    return (rows @ slices).sort(dim=0).values
