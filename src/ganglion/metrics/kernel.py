"""The kernel distance between two sets of features, KID: unbiased however few the images are. N samples, A features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["KernelDistance", "kernel_distance"]

LARGEST_BLOCK = 1000  # as in the paper
FEWEST_BLOCKS = 10
SMALLEST_BLOCK = 10


class KernelDistance(NamedTuple):
    value: float
    """Mean over blocks; expected 0 for equal distributions, and then as often below it as above."""
    error: float
    """Standard error of that mean; blocks share no image, so it is an honest one."""
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
    places = [random.permutation(len(features))[: block * blocks].reshape(blocks, block) for features in (real, fake)]
    values = [
        squared_mmd(real[np.sort(ours)].astype(np.float64), fake[np.sort(theirs)].astype(np.float64))
        for ours, theirs in zip(*places, strict=True)
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
