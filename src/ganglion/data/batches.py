"""Batches from a store, by position in an endless shuffled order. No worker processes: a batch is one indexed read."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.data.pixels import to_float
from ganglion.data.store import Store
from ganglion.streams import Purpose, stream

__all__ = ["Batch", "Batches", "held_out", "held_out_count", "order"]


FEWEST_HELD_OUT, MOST_HELD_OUT, SHARE_HELD_OUT = 16, 500, 20

DEVICE_SHARE = 0.4  # of the free device memory that a store may fill


def order(images: int, seed: int, first: int, count: int) -> NDArray[np.int64]:
    """Indices of the images at positions `first` .. `first + count` of the endless order.

    The order is one random permutation per epoch; it depends on the arguments only, so a resumed run needs no state for it.
    """
    positions = np.arange(first, first + count)
    epochs, offsets = np.divmod(positions, images)
    return np.concatenate([_permutation(images, seed, int(e))[offsets[epochs == e]] for e in np.unique(epochs)])


def held_out_count(images: int) -> int:
    """Default number of held-out images: a twentieth, at most 500.

    They measure overfitting of D. Fewer than 16 would be too few to measure: then none.
    """
    count = min(MOST_HELD_OUT, images // SHARE_HELD_OUT)
    return count if count >= FEWEST_HELD_OUT else 0


def held_out(images: int, seed: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the training images and of the `count` held-out ones; both ascending."""
    if not count:
        return np.arange(images), np.arange(0)
    shuffled = stream(seed, Purpose.HELD_OUT).permutation(images)
    return np.sort(shuffled[count:]), np.sort(shuffled[:count])


@lru_cache(maxsize=4)
def _permutation(images: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return stream(seed, Purpose.ORDER, epoch).permutation(images)


class Batch(NamedTuple):
    images: Tensor
    """Float (N, C, H, W) in [-1, 1]."""
    labels: Tensor | None
    """int64 (N,); None for unlabelled batches."""


class Batches:
    """Batches of a store on `device`: all images are copied there if they fit, otherwise each batch is."""

    def __init__(
        self, store: Store, seed: int, device: torch.device, labelled: bool = False, held_out_images: int = 0
    ) -> None:
        self.seen, self.unseen = held_out(len(store.images), seed, held_out_images)
        self.images = len(self.seen)
        self.seed = seed
        self.device = device
        self._pixels = torch.from_numpy(store.images)  # (N, H, W, C)
        self._labels = torch.from_numpy(store.labels).to(device) if labelled else None
        if device.type == "cuda" and self._pixels.nbytes < DEVICE_SHARE * torch.cuda.mem_get_info(device)[0]:
            self._pixels = self._pixels.to(device)

    def take(self, first: int, count: int, part: slice = slice(None)) -> Batch:
        """The batch at positions `first` .. `first + count` of the order, or its slice `part`."""
        return self.pick(self.seen[order(self.images, self.seed, first, count)[part]])

    def pick(self, indices: NDArray[np.int64]) -> Batch:
        """The images at these indices of the store, and their labels. `seen` and `unseen` are such indices."""
        index = torch.from_numpy(indices).to(self._pixels.device)
        images = to_float(self._pixels.index_select(0, index).to(self.device, non_blocking=True))
        return Batch(images, None if self._labels is None else self._labels[index.to(self.device)])
