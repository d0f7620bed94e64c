"""A set of images to be measured, with all that a score has to say of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ganglion.data.store import Store
from ganglion.errors import DataError
from ganglion.recipe.schema import MOST_CHANNELS

__all__ = ["ImageSet", "array_set", "store_set"]

HASHED_AT_ONCE = 4096


@dataclass(frozen=True)
class ImageSet:
    """`images` is uint8 (N, H, W, C), in memory or mapped from disk."""

    name: str
    images: NDArray[np.uint8]
    content: str
    """Hash of the images and of how they were made to fit."""
    resize: str = "as they are"
    labels: NDArray[np.int64] | None = None
    """(N,) classes; None where not every image has one."""
    classes: tuple[str, ...] = ()
    held_out: NDArray[np.bool_] | None = None
    """(N,) whether the run that made the samples did not train on it; None where that is not known."""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        h, w, c = self.images.shape[1:]
        return int(h), int(w), int(c)

    def pick(self, chosen: NDArray[np.int64]) -> ImageSet:
        """The images at these places, as a set of its own."""
        key = hashlib.sha256(self.content.encode() + chosen.astype(np.int64).tobytes()).hexdigest()
        labels = None if self.labels is None else self.labels[chosen]
        held_out = None if self.held_out is None else self.held_out[chosen]
        return replace(self, images=self.images[chosen], labels=labels, held_out=held_out, content=key)


def store_set(store: Store) -> ImageSet:
    """A packed data set. Its content is a hash of the source's images; how they were made to fit is part of it."""
    h, w = store.fit.size
    key = hashlib.sha256(f"{store.content} {store.fit}".encode()).hexdigest()
    labelled = bool((store.labels >= 0).all()) and len(store.classes) > 1
    return ImageSet(
        str(store.facts["description"]), store.images, key, f"{store.fit.policy} to {h}x{w} (Lanczos)",
        store.labels if labelled else None, tuple(store.classes) if labelled else (),
    )  # fmt: skip


def array_set(name: str, images: NDArray[np.uint8]) -> ImageSet:
    """Images (N, H, W, C) that no store holds. Raises DataError for anything else."""
    if images.ndim != 4 or images.dtype != np.uint8 or not 1 <= images.shape[3] <= MOST_CHANNELS or not images.size:
        raise DataError(
            f"{name} have to be uint8 (N, H, W, C), at least one, with 1 to {MOST_CHANNELS} channels; got {images.dtype} "
            f"{tuple(images.shape)}"
        )
    key = hashlib.sha256(str(images.shape).encode())
    for first in range(0, len(images), HASHED_AT_ONCE):
        key.update(np.ascontiguousarray(images[first : first + HASHED_AT_ONCE]).data)
    return ImageSet(name, images, key.hexdigest())
