"""Distances between two sets of features: Fréchet (the formula of FID) and kernel (KID).

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", arXiv 1706.08500, equation 6; Binkowski et al. 2018,
arXiv 1801.01401. N samples, A features."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "KernelDistance",
    "Moments",
    "extrapolated_distance",
    "frechet_distance",
    "frechet_distance_from",
    "kernel_distance",
    "moments",
]


Array = NDArray[np.float64]

CHUNK = 4096
POINTS = 15
SMALLEST_SHARE = 0.1  # of the samples, at the first point of the line


class Moments(NamedTuple):
    mean: Array
    """(A,)"""
    covariance: Array
    """(A, A), with n - 1."""


def moments(features: NDArray[np.floating]) -> Moments:
    """Mean and covariance of features (N, A), in float64; memory is constant in N. Raises ValueError for N below 2."""
    n = len(features)
    if n < 2:
        raise ValueError(f"a covariance needs at least 2 samples; got {n}")
    chunks = [slice(first, first + CHUNK) for first in range(0, n, CHUNK)]
    mean = sum(features[chunk].sum(0, dtype=np.float64) for chunk in chunks) / n
    covariance = np.zeros((features.shape[1], features.shape[1]))
    for chunk in chunks:
        centred = features[chunk].astype(np.float64) - mean
        covariance += centred.T @ centred
    return Moments(np.asarray(mean), covariance / (n - 1))


def frechet_distance(a: Moments, b: Moments) -> float:
    """|mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)). In [0, inf); 0 for equal moments.

    The trace of the root is the sum of the roots of the eigenvalues of C_a^(1/2) C_b C_a^(1/2), which is symmetric, so
    that its eigenvalues are real.
    """
    return frechet_distance_from(a)(b)


def frechet_distance_from(a: Moments) -> Callable[[Moments], float]:
    """The same from one `a` to several others; the root of its covariance, half of the work, is computed once."""
    root = _root(a.covariance)

    def distance(b: Moments) -> float:
        cross = np.sqrt(np.linalg.eigvalsh(root @ b.covariance @ root).clip(0)).sum()
        apart = float(np.square(a.mean - b.mean).sum())
        return apart + float(np.trace(a.covariance) + np.trace(b.covariance) - 2 * cross)

    return distance


def extrapolated_distance(
    real: Moments, fake: NDArray[np.floating], random: np.random.Generator, points: int = POINTS
) -> float:
    """The distance for infinitely many fakes: the intercept of a line through distances of subsets over 1/n.

    The distance of n fakes (N, A) is biased by about c/n with a c that differs between generators. Chong and Forsyth
    2020, "Effectively Unbiased FID", arXiv 1911.07023, section 4. Can be slightly negative where the distance is small.
    Covariances of fewer fakes than features are singular, and their bias is another: subsets have twice as many as features.
    Raises ValueError where all fakes are not at least twice as many as the smallest subset.
    """
    smallest = max(int(SMALLEST_SHARE * len(fake)), 2 * fake.shape[1])
    if len(fake) < 2 * smallest:
        raise ValueError(
            f"{len(fake):,} images are too few to extrapolate with {fake.shape[1]:,} features: "
            "four images for each feature are needed"
        )
    sizes = np.linspace(smallest, len(fake), points).astype(int)
    distance = frechet_distance_from(real)
    distances = [distance(moments(fake[np.sort(random.permutation(len(fake))[:size])])) for size in sizes]
    return float(np.polyfit(1 / sizes, distances, 1)[1])


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(values.clip(0))) @ vectors.T)  # rounding can leave a 0 slightly below it


LARGEST_BLOCK = 1000  # as in the paper
FEWEST_BLOCKS = 10
SMALLEST_BLOCK = 10


class KernelDistance(NamedTuple):
    value: float
    """Mean over blocks; its expectation is 0 for equal distributions."""
    error: float
    """Standard error of that mean; unbiased, because blocks share no image."""
    block: int
    """Images of each set in a block."""
    blocks: int


def kernel_distance(
    real: NDArray[np.floating], fake: NDArray[np.floating], random: np.random.Generator
) -> KernelDistance:
    """The squared maximum mean discrepancy under (x.y / A + 1)^3 of features (N, A) and (M, A), by its U-statistic.

    Binkowski et al. 2018, "Demystifying MMD GANs", arXiv 1801.01401, section 4, equation 4. Blocks of at most 1,000
    images, fewer where that leaves ten blocks. Raises ValueError for fewer than 20 images in a set.
    """
    smaller = min(len(real), len(fake))
    if smaller < 2 * SMALLEST_BLOCK:
        raise ValueError(f"a kernel distance needs at least {2 * SMALLEST_BLOCK} images in each set; got {smaller}")
    block = int(np.clip(smaller // FEWEST_BLOCKS, SMALLEST_BLOCK, LARGEST_BLOCK))
    blocks = smaller // block
    indices = [random.permutation(len(features))[: block * blocks].reshape(blocks, block) for features in (real, fake)]
    values = [
        squared_mmd(real[np.sort(i)].astype(np.float64), fake[np.sort(j)].astype(np.float64))
        for i, j in zip(*indices, strict=True)
    ]
    return KernelDistance(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(blocks)), block, blocks)


def squared_mmd(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Of two blocks (n, A), without the diagonal, so that it is unbiased."""
    n, m = len(x), len(y)
    xx, yy, xy = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def _kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((x @ y.T / x.shape[1] + 1) ** 3)
