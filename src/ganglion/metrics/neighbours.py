"""Scores from nearest neighbours: precision, recall, density, coverage, and copies of training images.

Distances are computed in float64, a chunk of rows at a time, so that memory is linear in the number of images. Copies:
Meehan et al. 2020, "A Non-Parametric Test to Detect Data-Copying in Generative Models", arXiv 2004.05675, section 3.
N reals, M fakes, A features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

__all__ = ["Copying", "Nearest", "Overlap", "copying", "nearest", "overlap"]


ROWS = 512
NEIGHBOURS_OF_PRECISION = 3
NEIGHBOURS_OF_DENSITY = 5

Array = NDArray[np.floating]


class Overlap(NamedTuple):
    """Precision and recall: Kynkäänniemi et al. 2019, arXiv 1904.06991, equations 1 and 2, with 3 neighbours.

    Density and coverage: Naeem et al. 2020, arXiv 2002.09797, equations 3 and 4, with 5 neighbours. A ball lies around
    each image and reaches to its k-th nearest neighbour in its own set.
    """

    precision: float
    """[0, 1]: share of the fakes within the ball of some real."""
    recall: float
    """[0, 1]: share of the reals within the ball of some fake."""
    density: float
    """[0, inf): in how many reals' balls a fake lies, over k; 1 is expected of equal distributions."""
    coverage: float
    """[0, 1]: share of the reals whose ball holds a fake."""


class Nearest(NamedTuple):
    distance: NDArray[np.float64]
    """(N,)"""
    place: NDArray[np.int64]
    """(N,) in the base."""


def overlap(real: Array, fake: Array) -> Overlap:
    """Precision, recall, density and coverage of features (N, A) and (M, A). Raises ValueError for fewer than 6 of either."""
    if min(len(real), len(fake)) <= NEIGHBOURS_OF_DENSITY:
        raise ValueError(f"neighbours need at least {NEIGHBOURS_OF_DENSITY + 1} images in each set")
    reals, fakes = _tensors(real, fake)
    precision_ball, density_ball = _radii(reals)  # (N,), (N,)
    recall_ball, _ = _radii(fakes)  # (M,)
    precise = dense = 0.0
    recalled = torch.zeros(len(reals), dtype=torch.bool)
    covered = torch.zeros(len(reals), dtype=torch.bool)
    for first in range(0, len(fakes), ROWS):
        rows = slice(first, first + ROWS)
        distances = torch.cdist(fakes[rows], reals)  # (rows, N)
        precise += float((distances <= precision_ball).any(1).sum())
        recalled |= (distances <= recall_ball[rows, None]).any(0)
        inside = distances <= density_ball
        dense += float(inside.sum())
        covered |= inside.any(0)
    return Overlap(
        precise / len(fakes), float(recalled.double().mean()), dense / (NEIGHBOURS_OF_DENSITY * len(fakes)),
        float(covered.double().mean()),
    )  # fmt: skip


def nearest(queries: Array, base: Array, own: NDArray[np.int64] | None = None) -> Nearest:
    """The nearest of `base` (N, A) to each of `queries` (M, A).

    With `own`, both are one set: only the rows at these places are asked for, and none counts as its own neighbour.
    """
    asked, held = _tensors(queries if own is None else queries[own], base)
    distances, places = [], []
    for first in range(0, len(asked), ROWS):
        apart = torch.cdist(asked[first : first + ROWS], held)  # (rows, N)
        if own is not None:
            apart[torch.arange(len(apart)), torch.from_numpy(own[first : first + ROWS])] = torch.inf
        found = apart.min(1)
        distances.append(found.values)
        places.append(found.indices)
    return Nearest(torch.cat(distances).numpy(), torch.cat(places).numpy())


def _radii(features: Tensor) -> tuple[Tensor, Tensor]:
    """Distance of each (N, A) to its third and its fifth nearest neighbour (N,); the nearest of all is itself."""
    found = [
        torch.cdist(features[first : first + ROWS], features)
        .topk(NEIGHBOURS_OF_DENSITY + 1, dim=1, largest=False)
        .values  # (rows, 6), ascending
        for first in range(0, len(features), ROWS)
    ]
    distances = torch.cat(found)
    return distances[:, NEIGHBOURS_OF_PRECISION], distances[:, NEIGHBOURS_OF_DENSITY]


def _tensors(a: Array, b: Array) -> tuple[Tensor, Tensor]:
    """In float64 around their common middle, which keeps the differences of large numbers small."""
    first, second = (torch.from_numpy(np.array(features, np.float64)) for features in (a, b))
    middle = second.mean(0)
    return first - middle, second - middle


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
