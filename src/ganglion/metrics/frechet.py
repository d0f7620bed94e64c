"""The Fréchet distance between two sets of features: the formula behind FID, whatever the features are.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", arXiv 1706.08500, equation 6. N samples, A features.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Moments", "frechet_distance", "moments"]

Array = NDArray[np.float64]


class Moments(NamedTuple):
    mean: Array
    """(A,)"""
    covariance: Array
    """(A, A), with n - 1."""


def moments(features: NDArray[np.floating]) -> Moments:
    """Mean and covariance of features (N, A), in float64. Raises ValueError for fewer than two samples."""
    if len(features) < 2:
        raise ValueError(f"a covariance needs at least 2 samples; got {len(features)}")
    wide = features.astype(np.float64)
    return Moments(wide.mean(0), np.atleast_2d(np.cov(wide, rowvar=False)))


def frechet_distance(a: Moments, b: Moments) -> float:
    """|mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)). In [0, inf); 0 for equal moments.

    The trace of the root is the sum of the roots of the eigenvalues of C_a^(1/2) C_b C_a^(1/2), which is symmetric, so
    that nothing can turn complex on the way.
    """
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T  # rounding can leave eigenvalues of 0 slightly below it
    cross = np.sqrt(np.linalg.eigvalsh(root @ b.covariance @ root).clip(0)).sum()
    apart = float(np.square(a.mean - b.mean).sum())
    return apart + float(np.trace(a.covariance) + np.trace(b.covariance) - 2 * cross)
