"""Scores from nearest neighbours: precision, recall, density, coverage, and copies of training images.

Distances are computed in float64, in chunks of rows, so that memory is linear in the number of images. Copies:
Meehan et al. 2020, "A Non-Parametric Test to Detect Data-Copying in Generative Models", arXiv 2004.05675, section 3.
N reals, M fakes, A features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

__all__ = ["CopyScores", "Neighbours", "Prdc", "copy_scores", "nearest_neighbours", "prdc"]


ROWS = 512
NEIGHBOURS_OF_PRECISION = 3
NEIGHBOURS_OF_DENSITY = 5

Array = NDArray[np.floating]


class Prdc(NamedTuple):
    """Precision and recall: Kynkäänniemi et al. 2019, arXiv 1904.06991, equations 1 and 2, with 3 neighbours.

    Density and coverage: Naeem et al. 2020, arXiv 2002.09797, equations 3 and 4, with 5 neighbours. The ball of an image has
    the distance to its k-th nearest neighbour in its own set as radius.
    """

    precision: float
    """[0, 1]: share of the fakes within the ball of some real."""
    recall: float
    """[0, 1]: share of the reals within the ball of some fake."""
    density: float
    """[0, inf): number of reals' balls that contain a fake, over k; expected to be 1 for equal distributions."""
    coverage: float
    """[0, 1]: share of the reals whose ball contains a fake."""


class Neighbours(NamedTuple):
    distance: NDArray[np.float64]
    """(N,)"""
    indices: NDArray[np.int64]
    """(N,) in the base."""


def prdc(real: Array, fake: Array) -> Prdc:
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
    return Prdc(
        precise / len(fakes), float(recalled.double().mean()), dense / (NEIGHBOURS_OF_DENSITY * len(fakes)),
        float(covered.double().mean()),
    )  # fmt: skip


def nearest_neighbours(queries: Array, base: Array, own: NDArray[np.int64] | None = None) -> Neighbours:
    """The nearest of `base` (N, A) to each of `queries` (M, A).

    With `own`, both are one set: the queries are the rows at these indices, and an image is not its own neighbour.
    """
    query_rows, base_rows = _tensors(queries if own is None else queries[own], base)
    distances, indices = [], []
    for first in range(0, len(query_rows), ROWS):
        pairs = torch.cdist(query_rows[first : first + ROWS], base_rows)  # (rows, N)
        if own is not None:
            pairs[torch.arange(len(pairs)), torch.from_numpy(own[first : first + ROWS])] = torch.inf
        smallest = pairs.min(1)
        distances.append(smallest.values)
        indices.append(smallest.indices)
    return Neighbours(torch.cat(distances).numpy(), torch.cat(indices).numpy())


def _radii(features: Tensor) -> tuple[Tensor, Tensor]:
    """Distance of each (N, A) to its third and its fifth nearest neighbour (N,); the first column is the image itself."""
    chunks = [
        torch.cdist(features[first : first + ROWS], features)
        .topk(NEIGHBOURS_OF_DENSITY + 1, dim=1, largest=False)
        .values  # (rows, 6), ascending
        for first in range(0, len(features), ROWS)
    ]
    distances = torch.cat(chunks)
    return distances[:, NEIGHBOURS_OF_PRECISION], distances[:, NEIGHBOURS_OF_DENSITY]


def _tensors(a: Array, b: Array) -> tuple[Tensor, Tensor]:
    """In float64, both minus the mean of `b`, which reduces rounding errors."""
    first, second = (torch.from_numpy(np.array(features, np.float64)) for features in (a, b))
    centre = second.mean(0)
    return first - centre, second - centre


STAND_INS = 2000
NEAR = 0.01  # quantile of held-out images' distances below which a sample counts as a near-copy


class CopyScores(NamedTuple):
    nearer: float
    """Probability that a sample is nearer to the training images than a held-out image: 0.5 as new as those, 1 copies."""
    near: float
    """Share of samples nearer than 99 % of the held-out images; 0.01 is expected."""
    nearest: Neighbours
    """Of each sample, the nearest training image."""


def copy_scores(
    training: NDArray[np.floating],
    fake: NDArray[np.floating],
    unseen: NDArray[np.floating] | None,
    random: np.random.Generator,
    candidates: int | None = None,
) -> CopyScores:
    """From features (N, A), (M, A) and, of held-out real images, (L, A).

    Without held-out images, 2,000 training images, of the first `candidates` or of all, serve as held-out ones, each against
    all the others; duplicates in the data set then bias the scores downwards.
    """
    found = nearest_neighbours(fake, training)
    if unseen is None:
        held_out = nearest_neighbours(training, training, random.permutation(candidates or len(training))[:STAND_INS])
    else:
        held_out = nearest_neighbours(unseen, training)
    return CopyScores(
        probability_below(found.distance, held_out.distance),
        float((found.distance < np.quantile(held_out.distance, NEAR)).mean()),
        found,
    )


def probability_below(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The probability that one of `a` is smaller than one of `b`, ties counted by half (Mann and Whitney 1947)."""
    ranks = rankdata(np.concatenate([a, b]))[: len(a)]
    larger = ranks.sum() - len(a) * (len(a) + 1) / 2  # pairs in which the one of a is the larger
    return float(1 - larger / (len(a) * len(b)))
