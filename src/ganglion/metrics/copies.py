"""Are samples copies of training images? Distances to the nearest one, against those of images that were never seen.

Meehan et al. 2020, "A Non-Parametric Test to Detect Data-Copying in Generative Models", arXiv 2004.05675, section 3: the
chance that a sample lies nearer to the training images than an unseen real image does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ganglion.metrics.neighbours import Nearest, nearest

__all__ = ["Copying", "copying"]

STAND_INS = 2000
NEAR = 0.01  # the quantile of unseen images' distances below which a sample is nearly a training image


class Copying(NamedTuple):
    nearer: float
    """The chance that a sample lies nearer to the training images than an unseen image: 0.5 as new as those, 1 copies."""
    near: float
    """Share of samples nearer than all but a hundredth of the unseen images; 0.01 is expected."""
    nearest: Nearest
    """Of each sample, the nearest training image."""


def copying(
    training: NDArray[np.floating],
    fake: NDArray[np.floating],
    unseen: NDArray[np.floating] | None,
    random: np.random.Generator,
    candidates: int | None = None,
) -> Copying:
    """Of features (N, A), (M, A) and, of unseen real images, (L, A).

    Where there are none, 2,000 training images, of the first `candidates` or of all, stand for unseen ones, each against
    all the others; a data set with many images twice over then seems to lie nearer to itself than it does.
    """
    found = nearest(fake, training)
    if unseen is None:
        yardstick = nearest(training, training, random.permutation(candidates or len(training))[:STAND_INS])
    else:
        yardstick = nearest(unseen, training)
    return Copying(
        chance_below(found.distance, yardstick.distance),
        float((found.distance < np.quantile(yardstick.distance, NEAR)).mean()),
        found,
    )


def chance_below(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The chance that one of `a` is smaller than one of `b`, ties counted by half (Mann and Whitney 1947)."""
    ranks = rankdata(np.concatenate([a, b]))[: len(a)]
    larger = ranks.sum() - len(a) * (len(a) + 1) / 2  # pairs in which the one of a is the larger
    return float(1 - larger / (len(a) * len(b)))
