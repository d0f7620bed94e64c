"""Batches of a data set that the device cannot hold: each is gathered and copied while the device computes on the one before.

A thread gathers the next batch into page-locked memory and copies it on a CUDA stream of its own. Which batch that is follows
from the one before; where another one is asked for, it is gathered then. N images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Place", "Prefetch", "Staging"]


class Place(NamedTuple):
    """A batch by its position in the order, or a part of it."""

    first: int
    images: int
    part: slice

    @property
    def following(self) -> Place:
        return Place(self.first + self.images, self.images, self.part)


Receive = Callable[[], tuple[Tensor, Tensor | None]]
"""Called by the thread that uses the batch: pixels uint8 (N, H, W, C) and labels (N,) or (N, K) on the device."""


class Prefetch:
    """Keeps one batch ahead. `send` gathers a batch and begins its copy; it runs in a thread, one batch after another."""

    def __init__(self, send: Callable[[Place], Receive]) -> None:
        self._send = send
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ganglion-prefetch")
        self._next: tuple[Place, Future[Receive]] | None = None

    def take(self, place: Place) -> tuple[Tensor, Tensor | None]:
        """The batch at `place`; then the following one is begun. Raises what reading it raised."""
        if self._next is None or self._next[0] != place:
            self._begin(place)
        assert self._next is not None
        receive = self._next[1].result()
        self._begin(place.following)
        return receive()

    def _begin(self, place: Place) -> None:
        self._next = place, self._thread.submit(self._send, place)


class _Slot:
    """A host buffer, and when the device has read it."""

    def __init__(self) -> None:
        self.pixels: Tensor | None = None
        self.read: torch.cuda.Event | None = None


class Staging:
    """Copies batches to the device through two host buffers, in turn: one may be written while the other is read."""

    def __init__(
        self, pixels: Tensor, labels: Tensor | None, indices: Callable[[Place], Tensor], device: torch.device
    ) -> None:
        """`pixels` uint8 (N, H, W, C) and `labels` (N,) or (N, K) of the data set, on the CPU; `indices` of a batch, int64."""
        self._pixels, self._labels, self._indices, self._device = pixels, labels, indices, device
        self._cuda = device.type == "cuda"
        self._stream: torch.cuda.Stream | None = (
            torch.cuda.Stream(device) if self._cuda else None  # type: ignore[no-untyped-call]
        )
        self._slots = [_Slot(), _Slot()]

    def send(self, place: Place) -> Receive:
        """Gathers a batch and begins its copy."""
        index = self._indices(place)
        slot = self._slots[0]
        self._slots.reverse()
        if slot.read is not None:
            slot.read.synchronize()  # before its buffer is written again
        shape = (len(index), *self._pixels.shape[1:])
        if slot.pixels is None or slot.pixels.shape != shape:
            slot.pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=self._cuda)
        torch.index_select(self._pixels, 0, index, out=slot.pixels)
        labels = None if self._labels is None else self._labels[index]
        with torch.cuda.stream(self._stream):  # no stream: no effect
            pixels = slot.pixels.to(self._device, non_blocking=True, copy=True)
            labels = None if labels is None else labels.to(self._device)
            slot.read = self._stream.record_event() if self._stream else None
        read = slot.read

        def receive() -> tuple[Tensor, Tensor | None]:
            if read is not None:
                using = torch.cuda.current_stream(self._device)
                using.wait_event(read)
                for tensor in (pixels, labels):
                    if tensor is not None:
                        tensor.record_stream(using)  # its memory is not given away before that stream has read it
            return pixels, labels

        return receive
