"""Sliced Wasserstein distance between patches of Laplacian pyramids: a cheap distance between two sets of images.

Karras et al. 2018, "Progressive Growing of GANs", section 5 (arXiv 1710.10196): 7x7 patches of each level of the
pyramid, normalised by channel, compared along random directions. It needs no trained network. Unlike the paper, both
sets are normalised by the mean and standard deviation of the real one, so that wrong brightness and contrast count.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

__all__ = ["sliced_wasserstein"]


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
    if real.shape != fake.shape:
        raise ValueError(f"expected two sets of one shape; got {tuple(real.shape)} and {tuple(fake.shape)}")
    levels = []
    for real_level, fake_level in zip(_pyramid(real), _pyramid(fake), strict=True):
        corners = _corners(real_level, patches, random)
        real_patches, fake_patches = _descriptors(real_level, corners), _descriptors(fake_level, corners)
        mean = real_patches.mean(dim=(0, 2), keepdim=True)  # (1, C, 1)
        deviation = real_patches.std(dim=(0, 2), keepdim=True, correction=0).clamp_min(GRAY_LEVEL)
        sets = [((patches_nc49 - mean) / deviation).flatten(1) for patches_nc49 in (real_patches, fake_patches)]
        levels.append(_distance(sets[0], sets[1], directions, random))
    return SCALE * float(np.mean(levels))


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


def _distance(real: Tensor, fake: Tensor, directions: int, random: np.random.Generator) -> float:
    """Mean over directions of the one-dimensional Wasserstein-1 distance, from sorted projections."""
    slices = torch.from_numpy(random.standard_normal((real.shape[1], directions), np.float32)).to(real.device)
    slices = slices / slices.norm(dim=0, keepdim=True)
    difference = (real @ slices).sort(dim=0).values - (fake @ slices).sort(dim=0).values
    return float(difference.abs().mean())
