"""What a set of samples looks like beside a set of real images: pure functions, no trained network.

N samples, R reals, C channels, H height, W width, A numbers of an image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

__all__ = [
    "contrast",
    "duplicates",
    "fine_energy",
    "mean_distance",
    "nearest_distances",
    "saturation",
    "small",
    "value_range",
    "with_border_of",
]


SIDE = 32  # distances between images are measured at this many pixels at most: what matters to them is coarse
BLACK_OR_WHITE = 0.98
DUPLICATE = 0.25  # of the reals' distance to their nearest neighbour
BORDER = 1 / 16  # of a side, at least one pixel


def small(images: Tensor) -> Tensor:
    """Images (N, C, H, W) as rows (N, A), at most 32 pixels a side; their distances are then root mean squares."""
    h, w = (min(SIDE, side) for side in images.shape[2:])
    rows = adaptive_avg_pool2d(images.float(), (h, w)).flatten(1)
    return rows / math.sqrt(rows.shape[1])


def mean_distance(rows: Tensor) -> Tensor:
    """Mean distance over all pairs of different rows (N, A); 0 where all are equal."""
    n = len(rows)
    mean: Tensor = _distances(rows, rows).sum() / max(1, n * (n - 1))
    return mean


def nearest_distances(rows: Tensor, base: Tensor | None = None) -> Tensor:
    """Distance of each row (N, A) to the nearest in `base`; left out: to the nearest other row. (N,)"""
    apart = _distances(rows, rows if base is None else base)
    if base is None:
        apart = apart + torch.eye(len(rows), device=rows.device) * torch.finfo(apart.dtype).max
    return apart.amin(1)


def duplicates(fakes: Tensor, reals: Tensor) -> Tensor:
    """Share of fakes (N, A) that have another fake nearer than a quarter of what is usual among as many reals."""
    usual = nearest_distances(reals[: len(fakes)]).median()
    return (nearest_distances(fakes) < DUPLICATE * usual).float().mean()


def saturation(images: Tensor) -> Tensor:
    """Share of the values that are nearly black or white, |x| > 0.98."""
    return (images.abs() > BLACK_OR_WHITE).float().mean()


def contrast(images: Tensor) -> Tensor:
    """Mean over images of the deviation of their own pixels; 0 where every image is of one colour."""
    return images.float().flatten(2).std(2, correction=0).mean()


def fine_energy(images: Tensor) -> Tensor:
    """Mean square of what a 3x3 mean takes away: edges, grain, noise."""
    inner = avg_pool2d(images.float(), 3, 1)
    return (images[..., 1:-1, 1:-1].float() - inner).square().mean()


def value_range(images: Tensor) -> Tensor:
    """Smallest and largest value, mean and deviation of all values (4,)."""
    wide = images.float()
    return torch.stack([wide.amin(), wide.amax(), wide.mean(), wide.std(correction=0)])


def with_border_of(images: Tensor, others: Tensor) -> Tensor:
    """`images` with the outermost sixteenth of each side taken from `others`, of the same shape."""
    rows, columns = (max(1, round(side * BORDER)) for side in images.shape[2:])
    inside = torch.zeros(images.shape[2:], dtype=torch.bool, device=images.device)
    inside[rows:-rows, columns:-columns] = True
    return torch.where(inside, images, others)


def _distances(a: Tensor, b: Tensor) -> Tensor:
    apart: Tensor = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")  # exact: equal rows are at 0
    return apart
