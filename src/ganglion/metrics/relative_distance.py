"""Where samples stand on a scale that needs no knowledge of the data: 0 as other real images, 1 as a Gaussian of the pixels.

The distance is the energy distance of features (Szekely and Rizzo 2013, "Energy statistics", Journal of Statistical Planning
and Inference 143). Its estimate is unbiased for any number of images, so that 60 images give the same scale as 1,000, with more
noise. N reals, M samples, A features, P values of an image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["DistanceToReals", "energy_distance", "gaussian_images"]

COMPONENTS = 16  # of the Gaussian: with more of them that of few photographs is hard to tell from the photographs
MOST_BYTES = 2**26  # of the reals' pixels, to which the Gaussian is fitted
CHUNK = 64  # images drawn at once
SMALL_DEVIATION = (
    0.05  # of all features' root mean square one: added to each, so that a constant feature does not decide
)
RESOLVED = 0.01  # of the mean distance between reals: a smaller distance of the Gaussian is no scale


class DistanceToReals:
    """The energy distance of samples to fixed reals, of features divided by their standard deviations among the reals.

    In features as they are a blur of a pixel hardly shows beside colour and contrast.
    """

    def __init__(self, reals: NDArray[np.floating]) -> None:
        """`reals`: features (N, A) of at least 2 images."""
        variance = np.asarray(reals, np.float64).var(0)
        smallest = SMALL_DEVIATION**2 * variance.mean() or 1.0  # of equal images there is no deviation at all
        self._deviation = np.sqrt(variance + smallest)
        self._reals = reals / self._deviation
        self._within = _within(self._reals)

    def of(self, samples: NDArray[np.floating]) -> float:
        """Of features (M, A) of at least 2 images: 0 in expectation for other reals; it can be slightly negative."""
        return _energy(self._reals, self._within, samples / self._deviation)

    def resolves(self, distance: float) -> bool:
        """Whether a distance is large enough to measure others by it."""
        return distance > RESOLVED * self._within


def energy_distance(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """2 E|x - y| - E|x - x'| - E|y - y'| of rows (N, A) and (M, A), unbiased; in expectation 0 for equal distributions.

    Negative as often as positive for these. Raises ValueError for fewer than 2 rows in a set.
    """
    return _energy(x, _within(x), y)


def gaussian_images(
    reals: Iterable[Tensor], count: int, random: np.random.Generator, components: int = COMPONENTS
) -> Iterator[Tensor]:
    """`count` images in chunks of the Gaussian with the mean of `reals`, chunks (n, C, H, W), and their leading components.

    A sample is the mean plus a sum of all reals' differences from it, with normal weights, projected so that only the principal
    components with the largest variances are left; then clipped to [-1, 1]. Of large images fewer reals are used.
    """
    few = torch.cat(list(_within_memory(reals)))
    rows = few.flatten(1)  # (N, P)
    mean = rows.mean(0)
    centred = rows - mean
    _, vectors = torch.linalg.eigh((centred @ centred.T).double().cpu())  # eigenvalues rise
    leading = vectors[:, -components:].numpy()  # (N, K)
    for first in range(0, count, CHUNK):
        weights = random.standard_normal((min(CHUNK, count - first), len(rows)))
        projected = (weights @ leading @ leading.T / np.sqrt(max(1, len(rows) - 1))).astype(np.float32)
        drawn = mean + torch.from_numpy(projected).to(rows.device) @ centred
        yield drawn.view(-1, *few.shape[1:]).clamp(-1, 1)


def _within_memory(chunks: Iterable[Tensor]) -> Iterator[Tensor]:
    """The first chunks, up to MOST_BYTES."""
    held = 0
    for chunk in chunks:
        yield chunk
        held += chunk.nbytes
        if held >= MOST_BYTES:
            return


def _energy(x: NDArray[np.floating], within_x: float, y: NDArray[np.floating]) -> float:
    return 2 * float(_distances(x, y).mean()) - within_x - _within(y)


def _within(x: NDArray[np.floating]) -> float:
    """Mean distance between two different rows."""
    if len(x) < 2:
        raise ValueError(f"a distance within a set needs at least 2 images; got {len(x)}")
    return float(_distances(x, x).sum()) / (len(x) * (len(x) - 1))


def _distances(x: NDArray[np.floating], y: NDArray[np.floating]) -> Tensor:
    """(N, M), in float64."""
    a, b = (torch.from_numpy(np.asarray(rows, np.float64)) for rows in (x, y))
    return torch.cdist(a, b, compute_mode="use_mm_for_euclid_dist")
