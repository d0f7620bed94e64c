"""Images in a NumPy file: what `ganglion sample --out FILE.npy` and most other programs write."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganglion.data.source import Entry
from ganglion.errors import DataError

__all__ = ["NpySource"]

CHANNELS = (1, 3, 4)
LOOKED_AT = 256  # images whose values tell which range floats are in
NEARLY = 1e-3  # what rounding may put outside a range


@dataclass(frozen=True)
class NpySource:
    """An array (N, H, W), (N, H, W, C) or (N, C, H, W) of uint8, or of floats in [0, 1], [-1, 1] or [0, 255]."""

    path: Path

    @property
    def description(self) -> str:
        found = _open(self.path)
        values = "" if found.pixels.dtype == np.uint8 else f" in [{found.black:g}, {found.white:g}]"
        return f"array {self.path} ({found.pixels.dtype}{values})"

    def fingerprint(self) -> str:
        status = self.path.stat()
        return f"npy {status.st_size} {status.st_mtime_ns} {self.path.resolve()}"

    def entries(self) -> list[Entry]:
        return [Entry(f"image {i}", i) for i in range(len(_open(self.path).pixels))]

    def read(self, entry: Entry) -> NDArray[np.uint8]:
        """Raises ValueError for an image whose values are not finite or leave the range of the others."""
        found = _open(self.path)
        image = found.pixels[int(entry.locator)]
        if image.dtype == np.uint8:
            return np.asarray(image, np.uint8)
        shares = (image.astype(np.float64) - found.black) / (found.white - found.black)
        if not np.isfinite(shares).all() or shares.min() < -NEARLY or shares.max() > 1 + NEARLY:
            raise ValueError(f"values outside [{found.black:g}, {found.white:g}], the range of the other images")
        levels: NDArray[np.uint8] = np.round(255 * shares.clip(0, 1)).astype(np.uint8)
        return levels


@dataclass(frozen=True)
class Opened:
    pixels: NDArray[np.generic]
    """(N, H, W) or (N, H, W, C), mapped from disk."""
    black: float
    white: float


def _open(path: Path) -> Opened:
    status = path.stat()
    return _open_version(path, (status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=4)
def _open_version(path: Path, version: tuple[int, ...]) -> Opened:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is not a NumPy file of plain numbers ({error}); write it with numpy.save") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path} holds several arrays; save the one that holds the images with numpy.save")
    if array.ndim == 4 and array.shape[3] not in CHANNELS:
        array = array.transpose(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)
    if not (array.ndim == 3 or (array.ndim == 4 and array.shape[3] in CHANNELS)):
        raise DataError(
            f"{path} has {array.ndim} axes and no axis of channels (1, 3 or 4) among them; "
            "images are (N, H, W), (N, H, W, C) or (N, C, H, W)"
        )
    return Opened(array, *_range_of(array, path))


def _range_of(array: NDArray[np.generic], path: Path) -> tuple[float, float]:
    """The values of black and white."""
    if array.dtype == np.uint8:
        return 0.0, 255.0
    if not np.issubdtype(array.dtype, np.floating):
        raise DataError(f"{path} holds {array.dtype}; images are uint8, or floats in [0, 1], [-1, 1] or [0, 255]")
    chosen = np.linspace(0, len(array) - 1, min(len(array), LOOKED_AT)).astype(int)
    values = np.asarray(array[chosen], np.float64)
    finite = values[np.isfinite(values)]  # an image with others is refused by itself, when it is read
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    for black, white in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
        if black - NEARLY <= low and high <= white * (1 + NEARLY):
            return black, white
    raise DataError(f"{path} has values from {low:g} to {high:g}; floats are images in [0, 1], [-1, 1] or [0, 255]")
