"""The Fréchet distance between two sets of features: the formula behind FID, whatever the features are.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", arXiv 1706.08500, equation 6. N samples, A features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Moments", "distance_from", "extrapolated_distance", "frechet_distance", "moments"]

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
    """Mean and covariance of features (N, A), in float64; memory is flat in N. Raises ValueError for N below 2."""
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
    that nothing can turn complex on the way.
    """
    return distance_from(a)(b)


def distance_from(a: Moments) -> Callable[[Moments], float]:
    """The same from one `a` to many others; its root, half of the work, is taken once."""
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
    """
    sizes = np.linspace(max(2, int(SMALLEST_SHARE * len(fake))), len(fake), points).astype(int)
    distance = distance_from(real)
    distances = [distance(moments(fake[np.sort(random.permutation(len(fake))[:size])])) for size in sizes]
    return float(np.polyfit(1 / sizes, distances, 1)[1])


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(values.clip(0))) @ vectors.T)  # rounding can leave a 0 slightly below it
