"""Sliced Wasserstein distance between patches of Laplacian pyramids: a cheap distance between two sets of images.

Karras et al. 2018, "Progressive Growing of GANs", section 5 (arXiv 1710.10196): 7x7 patches of each level of the
pyramid, normalised by channel, compared along random directions. It needs no trained network. Unlike the paper, both
sets are normalised by the mean and standard deviation of the real one, so that wrong brightness and contrast count.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ganglion.data.pixels import to_float
from ganglion.metrics.features import NUMBERS_IN_CHUNK, ImageSet, images_at_once

__all__ = ["SlicedWasserstein", "sliced_wasserstein"]


PATCH = 7
SMALLEST_LEVEL = 8
GRAY_LEVEL = 1 / 127.5  # minimum standard deviation in the normalisation, for uniform images
SCALE = 1000.0  # the paper reports thousandths


Images = Tensor | ImageSet
"""Float (N, C, H, W) in [-1, 1], or a set of uint8 images, which become float a chunk at a time."""


def sliced_wasserstein(
    real: Images, fake: Images, random: np.random.Generator, patches: int = 32, directions: int = 128
) -> float:
    """Mean over pyramid levels of the distance times 1000, as in the paper: 0 for equal sets, rarely above 1000.

    `real` and `fake` have equally many images. Equal `random` gives equal patches and directions. Raises ValueError for a side
    below 7.
    """
    return SlicedWasserstein(real, random, patches, directions).to(fake)


class SlicedWasserstein:
    """The same distance from one set to several others: patches, directions and the projections of `real` are computed once."""

    def __init__(self, real: Images, random: np.random.Generator, patches: int = 32, directions: int = 128) -> None:
        self._shape = _shape(real)
        n, channels, height, width = self._shape
        if min(height, width) < PATCH:
            raise ValueError(f"patches have {PATCH}x{PATCH} pixels; a side is {min(height, width)}")
        drawn = [
            (_corners(n, size, patches, random), _directions(channels * PATCH**2, directions, random))
            for size in _level_sizes(height, width)
        ]
        device = real.device if isinstance(real, Tensor) else torch.device("cpu")
        self._corners = [(rows.to(device), columns.to(device)) for (rows, columns), _ in drawn]
        self._levels = [_Level.of(found, slices) for found, (_, slices) in zip(self._patches(real), drawn, strict=True)]

    def to(self, fake: Images) -> float:
        if _shape(fake) != self._shape:
            raise ValueError(f"expected two sets of one shape; got {self._shape} and {_shape(fake)}")
        levels = zip(self._levels, self._patches(fake), strict=True)
        return SCALE * float(np.mean([level.distance(found) for level, found in levels]))

    def _patches(self, images: Images) -> list[Tensor]:
        """Those of each level (N*P, C, 49). The pyramid of a chunk at a time is in memory."""
        chunks: list[list[Tensor]] = []
        first = 0
        for chunk in _chunks(images):
            places = slice(first, first + len(chunk))
            levels = zip(_pyramid(chunk), self._corners, strict=True)
            chunks.append([_descriptors(level, (rows[places], columns[places])) for level, (rows, columns) in levels])
            first += len(chunk)
        return [torch.cat(parts) for parts in zip(*chunks, strict=True)]


def _shape(images: Images) -> tuple[int, int, int, int]:
    if isinstance(images, Tensor):
        n, c, h, w = images.shape
        return n, c, h, w
    h, w, c = images.shape
    return len(images), c, h, w


def _chunks(images: Images) -> Iterator[Tensor]:
    n, *numbers = _shape(images)
    at_once = images_at_once(numbers, NUMBERS_IN_CHUNK, n)
    for first in range(0, n, at_once):
        if isinstance(images, Tensor):
            yield images[first : first + at_once]
        else:
            yield to_float(torch.from_numpy(np.array(images[first : first + at_once])))


class _Level(NamedTuple):
    """A level of the real set's pyramid."""

    mean: Tensor
    deviation: Tensor
    """Of the patches, (1, C, 1) each."""
    slices: Tensor
    """Random directions as columns (C*49, D)."""
    projections: Tensor
    """Sorted along each direction (N*P, D)."""

    @classmethod
    def of(cls, found: Tensor, slices: Tensor) -> _Level:
        """From its patches (N*P, C, 49)."""
        mean = found.mean(dim=(0, 2), keepdim=True)
        deviation = found.std(dim=(0, 2), keepdim=True, correction=0).clamp_min(GRAY_LEVEL)
        rows = ((found - mean) / deviation).flatten(1)
        slices = slices.to(rows.device)
        return cls(mean, deviation, slices, _projections(rows, slices))

    def distance(self, found: Tensor) -> float:
        """Mean over directions of the one-dimensional Wasserstein-1 distance, from sorted projections."""
        rows = ((found - self.mean) / self.deviation).flatten(1)
        return float((self.projections - _projections(rows, self.slices)).abs().mean())


def _pyramid(images: Tensor) -> list[Tensor]:
    """Laplacian levels, and the residual at the last resolution."""
    levels = []
    for _ in range(len(_level_sizes(*images.shape[2:])) - 1):
        half = avg_pool2d(images, 2)
        levels.append(images - interpolate(half, scale_factor=2, mode="bilinear", align_corners=False))
        images = half
    return [*levels, images]


def _level_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Height and width of each level, finest first."""
    sizes = [(height, width)]
    while min(sizes[-1]) >= 2 * SMALLEST_LEVEL and not (sizes[-1][0] % 2 or sizes[-1][1] % 2):
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    return sizes


def _corners(n: int, size: tuple[int, int], patches: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Row and column of `patches` patches in each image (N, P); the same in both sets, which reduces the variance."""
    rows = torch.from_numpy(random.integers(0, size[0] - PATCH + 1, (n, patches)))
    columns = torch.from_numpy(random.integers(0, size[1] - PATCH + 1, (n, patches)))
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
