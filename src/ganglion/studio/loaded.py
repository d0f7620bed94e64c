"""Generators kept in memory, so that a slider need not wait for a file: a few, of which the least recently used leaves."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.data.alpha import straight
from ganglion.data.pixels import to_uint8
from ganglion.errors import DataError, RunError
from ganglion.latent.directions import METHODS, Directions
from ganglion.latent.model import Model, discriminator_of, for_each, load
from ganglion.latent.walk import influence
from ganglion.networks.custom import AnyDiscriminator
from ganglion.networks.sampling import CHUNK
from ganglion.platform.devices import choose_device
from ganglion.runs.folder import Run

__all__ = ["Loaded", "Models"]

MOST = 3  # generators in memory
DIRECTIONS = 8
RANKED_SEC = 3.0  # the longest that the ranking of dimensions may take
BASES = 2  # latents at which a dimension's influence is measured


class Loaded:
    """A run's generator in memory, and what is found out about it when first asked for."""

    def __init__(self, run: Path, model: Model) -> None:
        self.run, self.model = run, model
        self.written = _written(model.checkpoint)
        self.checkpoint = model.checkpoint.name
        self.seconds_per_image = self._timed()

    def draw(self, z: Tensor, labels: Tensor | None) -> NDArray[np.uint8]:
        """The images (N, H, W, C) of a few latents (N, Z), as fast as possible.

        `Model.pixels` always draws 16, so that equal latents give equal bits; here as many as there are, whose rounding may
        differ by one level.
        """
        if self.model.network is None or len(z) >= CHUNK:
            return self.model.pixels(z, labels)
        given = [] if labels is None else [for_each(labels.to(self.model.device), len(z))]
        with torch.no_grad():
            images = self.model.network(z.to(self.model.device, torch.float32), *given)
        return straight(to_uint8(images).cpu().numpy())

    def directions(self, method: str) -> Directions:
        """The strongest directions by `sefa` or `pca`. Raises DataError for a generator without a linear first layer."""
        if method not in self._directions:
            self._directions[method] = METHODS[method](self.model, min(DIRECTIONS, self.model.latent.dim))
        return self._directions[method]

    @cached_property
    def _directions(self) -> dict[str, Directions]:
        return {}

    @cached_property
    def has_directions(self) -> bool:
        """Whether the first layer is accessible."""
        try:
            return len(self.directions("sefa")) > 0
        except DataError:
            return False

    @property
    def is_ranked(self) -> bool:
        """Whether measuring the dimensions' influence takes so little time that they are ordered by it."""
        return 2 * BASES * self.model.latent.dim * self.seconds_per_image < RANKED_SEC

    @cached_property
    def dimensions(self) -> list[int]:
        """All dimensions of z: by the change that they make in the image, largest first, where that is measured soon enough;
        otherwise by number."""
        if not self.is_ranked:
            return list(range(self.model.latent.dim))
        order: list[int] = influence(self.model, bases=BASES).argsort()[::-1].tolist()
        return order

    @cached_property
    def discriminator(self) -> AnyDiscriminator | None:
        """D of the same checkpoint; None where it cannot be loaded (own modules), without which a search does too."""
        try:
            return discriminator_of(self.model)
        except RunError:
            return None

    def _timed(self) -> float:
        z, labels = self.model.latents(2), self.model.labels(2)
        self.draw(z, labels)  # the first call also prepares kernels
        started = time.perf_counter()
        self.draw(z, labels)
        return (time.perf_counter() - started) / 2


class Models:
    """The generators that pages use. Several threads may ask at once."""

    def __init__(self, most: int = MOST, device: str = "auto") -> None:
        self._most, self._device, self._lock = most, device, threading.Lock()
        self._held: OrderedDict[tuple[Path, str], Loaded] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def open(self, run: Path, checkpoint: str | int = "best") -> Loaded:
        """The generator of a run's checkpoint, `best`, `latest` or a step. Raises RunError, CheckpointError, DeviceError."""
        found = Run(run).checkpoint(checkpoint)
        with self._lock:
            if (held := self._held.get((run, found.name))) is not None and held.written != _written(found):
                del self._held[run, found.name]  # of another run, which was there before
        return self._get(run, found.name, int(found.name))

    def again(self, run: Path, name: str) -> Loaded:
        """The generator in the checkpoint's folder `name`, from memory even if the run has been deleted. Raises as `open`."""
        return self._get(run, name, int(name) if name.isdecimal() else name)

    def _get(self, run: Path, name: str, checkpoint: str | int) -> Loaded:
        with self._lock:  # also while it loads, so that two tabs do not load it twice
            key = run, name
            if key not in self._held:
                self._held[key] = Loaded(run, load(run, checkpoint, choose_device(self._device)))
                while len(self._held) > self._most:
                    self._held.popitem(last=False)
            self._held.move_to_end(key)
            return self._held[key]


def _written(checkpoint: Path) -> int | None:
    """When a checkpoint was written, in nanoseconds since 1970; None where it is gone."""
    try:
        return (checkpoint / "state.json").stat().st_mtime_ns
    except OSError:
        return None
