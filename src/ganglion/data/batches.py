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

__all__ = ["Batch", "Batches", "order"]

DEVICE_SHARE = 0.4  # of the free device memory that a store may fill


def order(images: int, seed: int, first: int, count: int) -> NDArray[np.int64]:
    """Which images stand at positions `first` .. `first + count` of the endless order.

    The order is one random permutation after another, each image once in each; it depends on the arguments alone, so
    a resumed run needs no state to go on with it.
    """
    positions = np.arange(first, first + count)
    epochs, places = np.divmod(positions, images)
    return np.concatenate([_permutation(images, seed, int(e))[places[epochs == e]] for e in np.unique(epochs)])


@lru_cache(maxsize=4)
def _permutation(images: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return stream(seed, Purpose.ORDER, epoch).permutation(images)


class Batch(NamedTuple):
    images: Tensor
    """Float (N, C, H, W) in [-1, 1]."""
    labels: Tensor | None
    """int64 (N,); None where no labels are asked for."""


class Batches:
    """The images of a store on `device`: kept there where they fit, otherwise sent batch by batch."""

    def __init__(self, store: Store, seed: int, device: torch.device, labelled: bool = False) -> None:
        self.images = len(store.images)
        self.seed = seed
        self.device = device
        self._pixels = torch.from_numpy(store.images)  # (N, H, W, C)
        self._labels = torch.from_numpy(store.labels).to(device) if labelled else None
        if device.type == "cuda" and self._pixels.nbytes < DEVICE_SHARE * torch.cuda.mem_get_info(device)[0]:
            self._pixels = self._pixels.to(device)

    def take(self, first: int, count: int, part: slice = slice(None)) -> Batch:
        """What stands at positions `first` .. `first + count` of the order; of these, those in `part`."""
        return self.pick(order(self.images, self.seed, first, count)[part])

    def pick(self, indices: NDArray[np.int64]) -> Batch:
        """The images at `indices`, and their labels."""
        where = torch.from_numpy(indices).to(self._pixels.device)
        images = to_float(self._pixels.index_select(0, where).to(self.device, non_blocking=True))
        return Batch(images, None if self._labels is None else self._labels[where.to(self.device)])
