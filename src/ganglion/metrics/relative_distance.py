"""Where samples stand on a scale that needs no knowledge of the data: 0 as other real images, 1 as a Gaussian of the pixels.

It is the larger one of two. The first is of layout and textures: means of areas, and energy and sparseness of band-pass filters
at several scales (Portilla and Simoncelli 2000, "A parametric texture model based on joint statistics of complex wavelet
coefficients", IJCV 40); photographs have sparse responses, and a Gaussian with the same covariance has not, so that few images
tell the two apart. The second is of what has the shape of the images' parts at 16 to 31 pixels (`patches`).
The distance is the energy distance (Szekely and Rizzo 2013, "Energy statistics", J. Statistical Planning and Inference 143).
Its estimate is unbiased for any number of images: 60 images give the same scale as 1,000, with more noise.
N reals, M samples, A features, C channels, H height, W width, P = C H W.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d

from ganglion.metrics.patches import PatchFeatures, shrunk
from ganglion.streams import Purpose, stream

__all__ = ["DistanceToReals", "RelativeDistance", "band_features", "energy_distance", "gaussian_images", "most_fitted"]

PATCHES_AT = 16  # pixels, the least short side at which patches are compared
LAYOUT = 4  # areas by so many, of which the mean colours are features
FILTERS, KERNEL, LEVELS, LEAST_SIDE = 12, 3, 4, 8  # a level has half the side of the one before
LEAST_ENERGY, LEAST_RESPONSE = 1e-4, 3e-3  # of a filter, added so that a flat image has features too
COMPONENTS = 100  # of the Gaussian
MOST_BYTES = 2**26  # of the reals' pixels, to which the Gaussian is fitted
CHUNK = 64  # images drawn at once
SMALL_DEVIATION = (
    0.05  # of all features' root mean square one: added to each, so that a constant feature does not decide
)
RESOLVED = 0.01  # of the mean distance between reals: a smaller distance of the Gaussian is no scale


Features = tuple[NDArray[np.floating], ...]
"""Of images, for each kind of features (M, A)."""


class RelativeDistance:
    """The scale of one set of real images."""

    def __init__(self, reals: Iterable[Tensor]) -> None:
        """`reals`: chunks (n, C, H, W) in [-1, 1], of at least 2 images together."""
        both = [(band_features(chunk), shrunk(chunk, PATCHES_AT)) for chunk in reals]
        bands, small = zip(*both, strict=True)
        patches = PatchFeatures(torch.cat(small), PATCHES_AT)
        self._kinds: tuple[Callable[[Tensor], NDArray[np.floating]], ...] = (band_features, patches)
        of_patches = np.concatenate([patches(chunk) for chunk in small])
        self._distances = [DistanceToReals(found) for found in (np.concatenate(bands), of_patches)]

    def features(self, images: Iterable[Tensor]) -> Features:
        """Of images in chunks (n, C, H, W)."""
        each = [[kind(chunk) for kind in self._kinds] for chunk in images]
        return tuple(np.concatenate(parts) for parts in zip(*each, strict=True))

    def distances(self, samples: Features) -> tuple[float, ...]:
        """Those that are relative to the same of a Gaussian's images, one for each kind of features."""
        return tuple(distance.of(found) for distance, found in zip(self._distances, samples, strict=True))

    def of(self, samples: Features, gaussian: Sequence[float]) -> float | None:
        """The largest distance of samples as a share of that of the Gaussian; None where it gives no scale for any."""
        resolved = [
            mine / its
            for distance, mine, its in zip(self._distances, self.distances(samples), gaussian, strict=True)
            if distance.resolves(its)
        ]
        return max(resolved, default=None)


class DistanceToReals:
    """The energy distance of samples to fixed reals, of features divided by their standard deviations among the reals."""

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


def band_features(images: Tensor) -> NDArray[np.float32]:
    """Features (N, A) of images (N, C, H, W) in [-1, 1]: means of areas; of each filter and level log rms and E|r| / rms.

    The filters are random with a mean of 0 in each channel, so that brightness and colour do not count in them.
    """
    filters = _filters(images.shape[1]).to(images.device)
    found = [adaptive_avg_pool2d(images, (LAYOUT, LAYOUT)).flatten(1)]
    for _ in range(LEVELS):
        if min(images.shape[2:]) < LEAST_SIDE:
            break
        responses = conv2d(images, filters).flatten(2)  # (N, FILTERS, positions)
        rms = (responses.square().mean(2) + LEAST_ENERGY).sqrt()
        found += [rms.log(), (responses.abs().mean(2) + LEAST_RESPONSE) / rms]
        images = avg_pool2d(images, 2)
    return torch.cat(found, 1).float().cpu().numpy()


def _filters(channels: int) -> Tensor:
    """(FILTERS, C, KERNEL, KERNEL), of norm 1; the same on every machine."""
    drawn = stream(0, Purpose.EXTRACTOR, 1).standard_normal((FILTERS, channels, KERNEL, KERNEL)).astype(np.float32)
    band = drawn - drawn.mean((2, 3), keepdims=True)
    return torch.from_numpy(band / np.sqrt(np.square(band).sum((1, 2, 3), keepdims=True)))


def energy_distance(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """2 E|x - y| - E|x - x'| - E|y - y'| of rows (N, A) and (M, A), unbiased; in expectation 0 for equal distributions.

    Negative as often as positive for these. Raises ValueError for fewer than 2 rows in a set.
    """
    return _energy(x, _within(x), y)


def most_fitted(shape: Sequence[int]) -> int:
    """The most images of this shape to which a Gaussian is fitted: of large ones fewer, for memory."""
    return max(2, MOST_BYTES // (4 * math.prod(shape)))


def gaussian_images(
    reals: Iterable[Tensor], count: int, random: np.random.Generator, components: int = COMPONENTS
) -> Iterator[Tensor]:
    """`count` images in chunks of the Gaussian with the mean of `reals`, chunks (n, C, H, W), and their leading components.

    A sample is the mean plus a sum of all reals' differences from it, with normal weights, projected so that only the principal
    components with the largest variances are left; then clipped to [-1, 1]. All `reals` are held at once (`most_fitted`).
    """
    few = torch.cat(list(reals))
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
