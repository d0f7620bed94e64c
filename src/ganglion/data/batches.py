"""Batches from a store, by position in an endless shuffled order. No worker processes: a batch is one indexed read."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.data.attributes import Attributes, class_weights
from ganglion.data.pixels import to_float
from ganglion.data.prefetch import Place, Prefetch, Staging
from ganglion.data.store import Store
from ganglion.streams import Purpose, stream

__all__ = ["Batch", "Batches", "balanced_order", "fits_on_device", "held_out", "held_out_count", "order"]


FEWEST_HELD_OUT, MOST_HELD_OUT, SHARE_HELD_OUT = 16, 500, 20

DEVICE_SHARE = 0.4  # of the free device memory that a store may fill


def order(images: int, seed: int, first: int, count: int) -> NDArray[np.int64]:
    """Indices of the images at positions `first` .. `first + count` of the endless order.

    The order is one random permutation per epoch; it depends on the arguments only, so a resumed run needs no state for it.
    """
    positions = np.arange(first, first + count)
    epochs, offsets = np.divmod(positions, images)
    return np.concatenate([_permutation(images, seed, int(e))[offsets[epochs == e]] for e in np.unique(epochs)])


def balanced_order(weights: NDArray[np.float64], seed: int, epoch: int) -> NDArray[np.int64]:
    """Indices (N,) of the images of one epoch, each as often as its weight says, in random order; weights (N,) have the sum 1.

    Systematic resampling: an image comes N * weight times, rounded up or down by chance, so that the mean is exact.
    """
    random, images = stream(seed, Purpose.ORDER, epoch), len(weights)
    ends = np.floor(np.append(np.cumsum(weights)[:-1], 1.0) * images + random.random()).astype(np.int64)
    return random.permutation(np.repeat(np.arange(images), np.diff(ends, prepend=0)))


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
    """Classes int64 (N,), or condition vectors float32 (N, K); None for unlabelled batches."""


def fits_on_device(bytes_: int, free_bytes: int) -> bool:
    """Whether a data set may stay on a device with so much free memory: the larger part is left to the training."""
    return bytes_ <= DEVICE_SHARE * free_bytes


class Batches:
    """Batches of a store on `device`: a CUDA device holds all images if they fit, otherwise each batch is copied ahead.

    Batches are the same bit for bit wherever the images are. `whole`: whether the device holds them; None: if they fit.
    Labels are the store's classes, or with `attributes`, of all images of the store, their condition vectors. `balanced`: each
    class is shown equally often.
    """

    def __init__(
        self,
        store: Store,
        seed: int,
        device: torch.device,
        labelled: bool = False,
        held_out_images: int = 0,
        whole: bool | None = None,
        attributes: Attributes | None = None,
        balanced: bool = False,
    ) -> None:
        self.seen, self.unseen = held_out(len(store.images), seed, held_out_images)
        self.images = len(self.seen)
        self.seed = seed
        self.device = device
        self._pixels = torch.from_numpy(store.images)  # (N, H, W, C)
        self.shape = store.images.shape[1:]
        """Height, width, channels."""
        labels = store.labels if attributes is None else attributes.vectors()
        self._labels = torch.from_numpy(labels) if labelled else None
        self.attributes = attributes and attributes.pick(self.seen)
        """Of the training images."""
        codes = store.labels[:, None].astype(np.float32) if attributes is None else attributes.codes()
        self._weights = class_weights(codes[self.seen]) if balanced else None
        self._orders: dict[int, Tensor] = {}
        self.whole = device.type != "cuda" or _free_for(self._pixels, device) if whole is None else whole
        self._ahead = None if self.whole else Prefetch(Staging(self._pixels, self._labels, self._indices, device).send)
        if self.whole:
            self._pixels = self._pixels.to(device)
        self._labels = None if self._labels is None else self._labels.to(device)

    def take(self, first: int, count: int, part: slice = slice(None)) -> Batch:
        """The batch at positions `first` .. `first + count` of the order, or its slice `part`."""
        if self._ahead is not None:
            pixels, labels = self._ahead.take(Place(first, count, part))
            return Batch(to_float(pixels), labels)
        return self._at(self._indices(Place(first, count, part)))

    def pick(self, indices: NDArray[np.int64]) -> Batch:
        """The images at these indices of the store, and their labels. `seen` and `unseen` are such indices."""
        return self._at(torch.from_numpy(indices).to(self._pixels.device))

    def _at(self, index: Tensor) -> Batch:
        images = to_float(self._pixels.index_select(0, index).to(self.device, non_blocking=True))
        return Batch(images, None if self._labels is None else self._labels[index.to(self.device)])

    def _indices(self, place: Place) -> Tensor:
        """Of the batch at `place`, int64, where the images are."""
        end, epoch_images = place.first + place.images, self.images
        parts = [
            self._order(epoch)[max(0, place.first - epoch * epoch_images) : end - epoch * epoch_images]
            for epoch in range(place.first // epoch_images, (end - 1) // epoch_images + 1)
        ]
        return (parts[0] if len(parts) == 1 else torch.cat(parts))[place.part]

    def _order(self, epoch: int) -> Tensor:
        """Indices of an epoch's images in their order, copied to the device once an epoch; those of the last two are kept."""
        if epoch not in self._orders:
            self._orders = {old: index for old, index in self._orders.items() if old == epoch - 1}
            indices = (
                order(self.images, self.seed, epoch * self.images, self.images)
                if self._weights is None
                else balanced_order(self._weights, self.seed, epoch)
            )
            self._orders[epoch] = torch.from_numpy(self.seen[indices]).to(self._pixels.device, non_blocking=True)
        return self._orders[epoch]


def _free_for(pixels: Tensor, device: torch.device) -> bool:
    return fits_on_device(pixels.nbytes, torch.cuda.mem_get_info(device)[0])
