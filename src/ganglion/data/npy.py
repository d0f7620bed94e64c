"""Images in a NumPy file: what `ganglion sample --out FILE.npy` and most other programs write."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganglion.data.layout import black_and_white, channels_last, is_levels, to_levels
from ganglion.data.source import Entry
from ganglion.errors import DataError

__all__ = ["NpySource"]

LOOKED_AT = 256  # images whose values tell which range floats are in


@dataclass(frozen=True)
class NpySource:
    """An array (N, H, W), (N, H, W, C) or (N, C, H, W) of uint8, or of floats in [0, 1], [-1, 1] or [0, 255]."""

    path: Path
    channels: int | None = None
    """As many as the recipe asks for, which tells how an unclear shape is read."""

    @property
    def description(self) -> str:
        found = self._opened()
        values = "" if found.pixels.dtype == np.uint8 else f" in [{found.black:g}, {found.white:g}]"
        return f"array {self.path} ({found.pixels.dtype}{values})"

    def fingerprint(self) -> str:
        status = self.path.stat()
        read_as = self._opened().pixels.shape
        return f"npy {status.st_size} {status.st_mtime_ns} {self.path.resolve()} {read_as}"

    def entries(self) -> list[Entry]:
        return [Entry(f"image {i}", i) for i in range(len(self._opened().pixels))]

    def read(self, entry: Entry) -> NDArray[np.uint8]:
        """Raises ValueError for an image whose values are not finite or leave the range of the others."""
        found = self._opened()
        return to_levels(found.pixels[int(entry.locator)], found.black, found.white)

    def _opened(self) -> Opened:
        status = self.path.stat()
        return _open_version(self.path, (status.st_ino, status.st_size, status.st_mtime_ns), self.channels)


@dataclass(frozen=True)
class Opened:
    pixels: NDArray[np.generic]
    """(N, H, W) or (N, H, W, C), mapped from disk."""
    black: float
    white: float


@lru_cache(maxsize=4)
def _open_version(path: Path, version: tuple[int, ...], channels: int | None) -> Opened:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is not a NumPy file of plain numbers ({error}); write it with numpy.save") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path} holds several arrays; save the one that holds the images with numpy.save")
    images = channels_last(array, str(path), channels)
    return Opened(images, *_range_of(images, str(path)))


def _range_of(images: NDArray[np.generic], name: str) -> tuple[float, float]:
    """The values of black and white."""
    if is_levels(images.dtype, name):
        return 0.0, 255.0
    chosen = np.linspace(0, len(images) - 1, min(len(images), LOOKED_AT)).astype(int)
    values = np.asarray(images[chosen], np.float64)
    finite = values[np.isfinite(values)]  # an image with others is refused by itself, when it is read
    return black_and_white(*((float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)), name)
