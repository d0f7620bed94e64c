"""Scores from a classifier's probabilities: which classes were found, how evenly, how surely. N images, K classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["ClassBalance", "class_balance", "inception_score"]

FOUND = 0.1  # of a class's share among the reals: less than this, and the class counts as lost

Array = NDArray[np.floating]


class ClassBalance(NamedTuple):
    found: int
    """Classes whose share among the fakes is at least a tenth of that among the reals."""
    divergence: float
    """Kullback-Leibler divergence of the fakes' shares from the reals', in nats; 0 where they are equal."""
    shares: NDArray[np.float64]
    """(K,) of the fakes."""


def class_balance(real: Array, fake: Array) -> ClassBalance:
    """Of probabilities (N, K) and (M, K). Each image counts for the class that is most probable.

    A class that no real image has is counted as if one had: a divergence stays finite.
    """
    classes = real.shape[1]
    expected = np.maximum(np.bincount(real.argmax(1), minlength=classes), 1) / len(real)
    shares = np.bincount(fake.argmax(1), minlength=classes) / len(fake)
    there = shares > 0
    divergence = float((shares[there] * np.log(shares[there] / expected[there])).sum())
    return ClassBalance(int((shares >= FOUND * expected).sum()), divergence, shares)


def inception_score(probabilities: Array) -> float:
    """exp of the mean divergence of each image's classes from those of all, in [1, K]; Salimans et al. 2016, section 4.

    Of one split: the customary ten are what seeds are for. It never looks at the reals, and rewards what a classifier is
    sure of, whether or not it is in the data.
    """
    p = probabilities.astype(np.float64).clip(1e-16)
    return float(np.exp((p * (np.log(p) - np.log(p.mean(0)))).sum(1).mean()))
