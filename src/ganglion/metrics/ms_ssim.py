"""How alike the images of one set are among themselves: structural similarity of random pairs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ganglion.data.pixels import to_float

__all__ = ["levels_for", "likeness"]

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, fine to coarse
WINDOW, SMALL_WINDOW = 11, 7
PAIRS = 1000
CHUNK = 100


def likeness(images: NDArray[np.uint8], random: np.random.Generator, pairs: int = PAIRS) -> float:
    """Mean multi-scale structural similarity of random pairs of images (N, H, W, C), in [0, 1]; 1 where all are one.

    Odena et al. 2017, arXiv 1610.09585, section 4.2, on the measure of Wang et al. 2003. It says something only beside the
    same number of the real images. Small images have fewer scales than the customary five: as many as an 11x11 window
    leaves room for (7x7 below 11 pixels), with the weights of those scales. Raises ValueError for fewer than two images.
    """
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure  # slow to import

    if len(images) < 2:
        raise ValueError("pairs need at least two images")
    side = min(images.shape[1:3])
    window = WINDOW if side >= WINDOW else SMALL_WINDOW
    weights = WEIGHTS[: levels_for(side, window)]
    betas = tuple(weight / sum(weights) for weight in weights)
    first = random.integers(0, len(images), pairs)
    second = (first + random.integers(1, len(images), pairs)) % len(images)  # never the same image
    found = []
    for begin in range(0, pairs, CHUNK):
        ours, theirs = (
            to_float(torch.from_numpy(images[places[begin : begin + CHUNK]])).add(1).div(2).contiguous()
            for places in (first, second)
        )
        found.append(
            multiscale_structural_similarity_index_measure(
                ours, theirs, kernel_size=window, sigma=1.5 * window / WINDOW, data_range=1.0, betas=betas,
                reduction="none", normalize="relu",
            )
        )  # fmt: skip
    return float(torch.cat([values.flatten() for values in found]).double().mean())


def levels_for(side: int, window: int = WINDOW) -> int:
    """Scales at which the window still fits into images of this side."""
    fitting = [level for level in range(len(WEIGHTS)) if side >= window * 2**level]
    return max(1, len(fitting))
