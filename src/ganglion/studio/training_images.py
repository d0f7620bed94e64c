"""The training images nearest to a sample, from the packed images in the cache: their source may be gone."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganglion.data.alpha import premultiplied, straight
from ganglion.data.store import Store, find_packed
from ganglion.errors import DataError
from ganglion.recipe.schema import Data
from ganglion.report.explored import nearest_indices

__all__ = ["Nearest", "nearest_images", "packed_images"]

NEAREST = 6

Pixels = NDArray[np.uint8]


class Nearest(NamedTuple):
    pixels: Pixels
    """(N, H, W, C), nearest first, alpha straight."""
    errors: list[float]
    """Root mean square difference of pixels, on [-1, 1]."""
    searched: int
    """Number of images among which they are the nearest."""


def packed_images(data: Data, cache: Path) -> Store:
    """The images of a run as they were packed for it. Raises DataError where they are not in the cache any more."""
    found = find_packed(data, cache)
    if found is None:
        raise DataError(
            f"the training images ({data.source}) are no longer in the cache {cache}, so the nearest ones cannot be shown: "
            "ganglion report RUN packs them again where their source is still there"
        )
    return found


def nearest_images(sample: Pixels, data: Data, cache: Path, count: int = NEAREST) -> Nearest:
    """The training images with the smallest difference of pixels to `sample` (H, W, C). Raises DataError."""
    images = packed_images(data, cache).images
    query = premultiplied(sample)
    if query.shape != images.shape[1:]:
        raise DataError(f"the sample has the shape {query.shape}, the training images {images.shape[1:]}")
    chosen = nearest_indices(query[None], images, min(count, len(images)))[0]
    apart = (images[chosen].astype(np.float64) - query) / 127.5
    errors: list[float] = np.sqrt((apart**2).mean((1, 2, 3))).tolist()
    return Nearest(straight(images[chosen]), errors, len(images))
