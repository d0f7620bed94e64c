"""Statistics of samples relative to real images: pure functions, no trained network.

N samples, R reals, C channels, H height, W width, A values per image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

__all__ = [
    "checkerboard_energy",
    "contrast",
    "downsampled",
    "duplicates",
    "fine_energy",
    "mean_distance",
    "nearest_distances",
    "nearest_others",
    "pairwise",
    "saturation",
    "value_range",
    "with_border_of",
]


SIDE = 32  # maximum side in pixels at which distances between images are measured
BLACK_OR_WHITE = 0.98
DUPLICATE = 0.25  # of the reals' distance to their nearest neighbour
PATCH = 8  # pixels: a side of the squares in which the energy at the Nyquist frequency is measured
BORDER = 1 / 16  # of a side, at least one pixel


def downsampled(images: Tensor) -> Tensor:
    """Images (N, C, H, W) as rows (N, A) at no more than 32x32 pixels, scaled so that distances are root mean squares."""
    h, w = (min(SIDE, side) for side in images.shape[2:])
    rows = adaptive_avg_pool2d(images.float(), (h, w)).flatten(1)
    return rows / math.sqrt(rows.shape[1])


def pairwise(rows: Tensor) -> Tensor:
    """Distances (N, N) between rows (N, A)."""
    return _distances(rows, rows)


def mean_distance(distances: Tensor) -> Tensor:
    """Mean over all pairs of different rows, from their distances (N, N); 0 where all rows are equal."""
    n = len(distances)
    mean: Tensor = distances.sum() / max(1, n * (n - 1))
    return mean


def nearest_others(distances: Tensor) -> Tensor:
    """Distance (N,) of each row to the nearest other one, from the distances (N, N) of all."""
    apart = torch.eye(len(distances), device=distances.device) * torch.finfo(distances.dtype).max
    return (distances + apart).amin(1)


def nearest_distances(rows: Tensor, base: Tensor) -> Tensor:
    """Distance (N,) of each row (N, A) to the nearest row in `base` (R, A)."""
    return _distances(rows, base).amin(1)


def duplicates(distances: Tensor, usual: Tensor) -> Tensor:
    """Share of fakes with another fake nearer than a quarter of `usual`, from their distances (N, N).

    usual: the median nearest distance among as many reals.
    """
    return (nearest_others(distances) < DUPLICATE * usual).float().mean()


def saturation(images: Tensor) -> Tensor:
    """Share of the values that are nearly black or white, |x| > 0.98."""
    return (images.abs() > BLACK_OR_WHITE).float().mean()


def contrast(images: Tensor) -> Tensor:
    """Mean over images of the standard deviation of their pixels; 0 where every image is uniform."""
    return images.float().flatten(2).std(2, correction=0).mean()


def fine_energy(images: Tensor) -> Tensor:
    """Mean square of the difference to a 3x3 mean: edges, grain, noise."""
    return _without_mean(images).square().mean()


def _without_mean(images: Tensor) -> Tensor:
    """Images (N, C, H, W) less the mean of the 3x3 pixels around each one, (N, C, H - 2, W - 2)."""
    inner: Tensor = images[..., 1:-1, 1:-1].float() - avg_pool2d(images.float(), 3, 1)
    return inner


def checkerboard_energy(images: Tensor) -> Tensor:
    """Energy of grids of period 2 in squares of 8x8 pixels: at the Nyquist frequency of rows, of columns and of both.

    Up-sampling layers leave such grids (Odena et al. 2016, "Deconvolution and Checkerboard Artifacts"); photographs and
    drawings rarely alternate from pixel to pixel at the same phase over eight of them.
    """
    x = _without_mean(images)
    columns = 1 - 2 * (torch.arange(x.shape[3], device=x.device) % 2)  # 1, -1, 1, ...
    rows = (1 - 2 * (torch.arange(x.shape[2], device=x.device) % 2))[:, None]
    parts = [avg_pool2d(x * sign, min(PATCH, *x.shape[2:])).square().mean() for sign in (rows, columns, rows * columns)]
    return torch.stack(parts).sum()


def value_range(images: Tensor) -> Tensor:
    """Minimum, maximum, mean and standard deviation of all values (4,)."""
    wide = images.float()
    return torch.stack([wide.amin(), wide.amax(), wide.mean(), wide.std(correction=0)])


def with_border_of(images: Tensor, others: Tensor) -> Tensor:
    """`images` with the outermost sixteenth of each side taken from `others`, of the same shape."""
    rows, columns = (max(1, round(side * BORDER)) for side in images.shape[2:])
    inside = torch.zeros(images.shape[2:], dtype=torch.bool, device=images.device)
    inside[rows:-rows, columns:-columns] = True
    return torch.where(inside, images, others)


def _distances(a: Tensor, b: Tensor) -> Tensor:
    distances: Tensor = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")  # exact: 0 for equal rows
    return distances
