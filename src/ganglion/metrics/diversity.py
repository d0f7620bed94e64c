"""Diversity of a set of images: number and balance of classes, and structural similarity of random pairs (MS-SSIM).

N images, K classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from ganglion.metrics.features import ImageSet, images_at_once

__all__ = [
    "ClassBalance",
    "class_balance",
    "inception_score",
    "ms_ssim_of_pairs",
    "multi_scale_similarity",
    "scale_count",
]


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
    """From probabilities (N, K) and (M, K). Each image counts for its most probable class.

    A class without real images is counted as if it had one, so that the divergence is finite.
    """
    classes = real.shape[1]
    expected = np.maximum(np.bincount(real.argmax(1), minlength=classes), 1) / len(real)
    shares = np.bincount(fake.argmax(1), minlength=classes) / len(fake)
    there = shares > 0
    divergence = float((shares[there] * np.log(shares[there] / expected[there])).sum())
    return ClassBalance(int((shares >= FOUND * expected).sum()), divergence, shares)


def inception_score(probabilities: Array) -> float:
    """exp of the mean divergence of each image's classes from those of all, in [1, K]; Salimans et al. 2016, section 4.

    One split instead of the usual ten: use several seeds. It does not use the reals, and rewards confident predictions,
    whether or not they are in the data.
    """
    p = probabilities.astype(np.float64).clip(1e-16)
    return float(np.exp((p * (np.log(p) - np.log(p.mean(0)))).sum(1).mean()))


WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, fine to coarse
WINDOW, SMALL_WINDOW = 11, 7
DEVIATION = 1.5  # of the window of 11 pixels; that of a smaller one in proportion
C1, C2 = 0.01**2, 0.03**2  # for images in [0, 1]
PAIRS = 1000
MOST_IN_CHUNK, NUMBERS_IN_CHUNK = 100, 2**20  # pairs, and pixels times channels of one side of them, at once


def ms_ssim_of_pairs(images: ImageSet | NDArray[np.uint8], random: np.random.Generator, pairs: int = PAIRS) -> float:
    """Mean multi-scale structural similarity of random pairs of images (N, H, W, C), in [0, 1]; 1 where all are equal.

    Odena et al. 2017, arXiv 1610.09585, section 4.2. Meaningful only compared with the same number of the real images.
    Raises ValueError for fewer than two images and for a side below 7.
    """
    if len(images) < 2:
        raise ValueError("pairs need at least two images")
    first = random.integers(0, len(images), pairs)
    second = (first + random.integers(1, len(images), pairs)) % len(images)  # never the same image
    similarities = []
    at_once = images_at_once(images[:1].shape[1:], NUMBERS_IN_CHUNK, MOST_IN_CHUNK)
    for begin in range(0, pairs, at_once):
        a, b = (
            torch.from_numpy(images[indices[begin : begin + at_once]]).permute(0, 3, 1, 2).double() / 255
            for indices in (first, second)
        )  # (N, C, H, W)
        similarities.append(multi_scale_similarity(a, b))
    return float(torch.cat(similarities).mean())


def multi_scale_similarity(a: Tensor, b: Tensor) -> Tensor:
    """Of images (N, C, H, W) in [0, 1], pair by pair, (N,) in [0, 1]; 1 for equal images.

    Wang, Simoncelli and Bovik 2003, "Multiscale Structural Similarity for Image Quality Assessment", equation 7, where a
    negative factor counts as 0. Small images have fewer scales than the usual five: as many as an 11x11 window (7x7 below 11
    pixels) fits into, with the weights of those scales. The coarsest scale, where the window may be as large as the image, is
    padded by reflection, as in torchmetrics. Raises ValueError for a side below 7.
    """
    side = min(a.shape[2:])
    if side < SMALL_WINDOW:
        raise ValueError(f"structural similarity needs at least {SMALL_WINDOW}x{SMALL_WINDOW} pixels; a side is {side}")
    size = WINDOW if side >= WINDOW else SMALL_WINDOW
    window = gaussian_window(size)
    weights = WEIGHTS[: scale_count(side, size)]
    found = torch.ones(len(a), dtype=a.dtype, device=a.device)  # (N,)
    for level, weight in enumerate(weights):
        if level:
            a, b = avg_pool2d(a, 2), avg_pool2d(b, 2)
        last = level == len(weights) - 1
        if last:
            a, b = (pad(images, [size // 2] * 4, mode="reflect") for images in (a, b))
        luminance, contrast = structure(a, b, window)
        factor = luminance * contrast if last else contrast
        found = found * factor.mean((1, 2, 3)).clamp_min(0) ** (weight / sum(weights))
    return found


def structure(a: Tensor, b: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance, and contrast times structure, without padding, (N, C, H', W').

    Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity", equations 6 and 13, with
    the weighted moments of equations 14 to 16 over n.
    """
    mean_a, mean_b = blurred(a, window), blurred(b, window)
    variance_a, variance_b = (
        (blurred(x * x, window) - mean * mean).clamp_min(0)  # rounding makes that of a flat area negative
        for x, mean in ((a, mean_a), (b, mean_b))
    )
    covariance = blurred(a * b, window) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a * mean_a + mean_b * mean_b + C1)
    return luminance, (2 * covariance + C2) / (variance_a + variance_b + C2)


def blurred(images: Tensor, window: Tensor) -> Tensor:
    """Means over the window (K,) by (K,) without padding, (N, C, H - K + 1, W - K + 1).

    A sum of shifted images, in float64 eight times as fast as torch's convolution.
    """
    first, *others = window.tolist()
    for dimension in (2, 3):
        fitting = images.shape[dimension] - len(others)
        means = images.narrow(dimension, 0, fitting) * first
        for shift, weight in enumerate(others, start=1):
            means.add_(images.narrow(dimension, shift, fitting), alpha=weight)
        images = means
    return images


def gaussian_window(size: int) -> Tensor:
    """A Gaussian over `size` pixels (K,), in float64; its sum is 1."""
    offset = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = torch.exp(-0.5 * (offset * WINDOW / (DEVIATION * size)) ** 2)
    return weights / weights.sum()


def scale_count(side: int, window: int = WINDOW) -> int:
    """Number of scales at which the window fits into images of this side."""
    fitting = [level for level in range(len(WEIGHTS)) if side >= window * 2**level]
    return max(1, len(fitting))
