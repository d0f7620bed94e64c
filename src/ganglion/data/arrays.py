"""Sources of raw pixels: IDX files (the format of MNIST), scikit-learn's digits, NumPy files."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganglion.data.array_layout import as_uint8, channels_last, infer_range, is_uint8
from ganglion.data.sources import Entry, NumberedEntries
from ganglion.errors import DataError

__all__ = ["DigitsSource", "IdxSource", "NpySource", "find_idx_images", "is_idx_name", "read_idx"]


@dataclass(frozen=True)
class IdxSource:
    """An IDX file of images (N, H, W) or (N, H, W, C), with the labels file next to it if there is one."""

    images: Path

    @property
    def description(self) -> str:
        return f"IDX file {self.images}"

    def fingerprint(self) -> str:
        files = [self.images, *filter(None, [_labels_beside(self.images)])]
        return "idx " + " ".join(f"{f.resolve()} {f.stat().st_size} {f.stat().st_mtime_ns}" for f in files)

    def entries(self) -> NumberedEntries:
        count = len(self._pixels())
        return NumberedEntries(count, self._labels(count))

    def read(self, entry: Entry) -> NDArray[np.uint8]:
        return np.asarray(self._pixels()[int(entry.locator)])

    def _pixels(self) -> NDArray[np.uint8]:
        pixels = read_idx(self.images)
        if pixels.ndim not in (3, 4):
            raise DataError(
                f"{self.images} holds an array of {pixels.ndim} axes; images have 3 (N, H, W) or 4 (N, H, W, C)"
            )
        return pixels

    def _labels(self, count: int) -> list[str] | None:
        path = _labels_beside(self.images)
        if path is None:
            return None
        labels = read_idx(path)
        if labels.shape != (count,):
            raise DataError(f"{path} holds labels of shape {labels.shape}; {self.images.name} has {count} images")
        return [str(label) for label in labels.tolist()]


@dataclass(frozen=True)
class DigitsSource:
    """1,797 handwritten digits of 8x8 pixels and 17 gray levels, bundled with scikit-learn (Alpaydin, Kaynak 1998)."""

    @property
    def description(self) -> str:
        return "scikit-learn's handwritten digits"

    def fingerprint(self) -> str:
        return "digits 1"

    def entries(self) -> NumberedEntries:
        labels = [str(label) for label in _digits()[1].tolist()]
        return NumberedEntries(len(labels), labels, "digit")

    def read(self, entry: Entry) -> NDArray[np.uint8]:
        return np.asarray(_digits()[0][int(entry.locator)])


@lru_cache(maxsize=1)
def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    from sklearn.datasets import load_digits  # takes a second to import

    bunch = load_digits()
    return np.round(bunch.images * (255 / 16)).astype(np.uint8), bunch.target.astype(np.int64)


def is_idx_name(name: str) -> bool:
    """`train-images-idx3-ubyte`, `x.idx3-ubyte.gz`, `images.idx`, ..."""
    return re.search(r"idx\d?(-ubyte)?(\.gz)?$", name) is not None


def find_idx_images(folder: Path) -> Path | None:
    """The IDX file of images in a folder, the training set before others; None where there is none."""
    images = sorted(
        p for p in folder.iterdir() if re.search(r"idx[34]", p.name) and is_idx_name(p.name) and p.is_file()
    )
    return next((p for p in images if "train" in p.name), images[0] if images else None)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes, gzipped or not. Raises DataError where it is not one."""
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    return _read_version(path, (status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=4)
def _read_version(path: Path, version: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    if len(raw) < 4 or raw[:2] != b"\0\0":
        raise DataError(f"{path} is not an IDX file: it must begin with two zero bytes")
    if raw[2] != 0x08:
        raise DataError(f"{path} holds numbers of type 0x{raw[2]:02x}; images and labels are unsigned bytes, type 0x08")
    header = 4 + 4 * raw[3]
    shape = struct.unpack(f">{raw[3]}I", raw[4:header]) if len(raw) >= header else ()
    if len(raw) - header != int(np.prod(shape, dtype=np.int64)):
        raise DataError(
            f"{path} declares an array of {shape} but has {len(raw) - header} bytes: it is truncated or damaged"
        )
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def _labels_beside(images: Path) -> Path | None:
    stem = images.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
    candidates = (images.with_name(stem), images.with_name(f"{stem}.gz"))
    return next((path for path in candidates if path != images and path.is_file()), None)


RANGE_SAMPLE = 256  # images from which the range of floats is inferred


@dataclass(frozen=True)
class NpySource:
    """An array (N, H, W), (N, H, W, C) or (N, C, H, W) of uint8, or of floats in [0, 1], [-1, 1] or [0, 255]."""

    path: Path
    channels: int | None = None
    """The recipe's number of channels, which resolves ambiguous shapes."""

    @property
    def description(self) -> str:
        found = self._opened()
        values = "" if found.pixels.dtype == np.uint8 else f" in [{found.black:g}, {found.white:g}]"
        return f"array {self.path} ({found.pixels.dtype}{values})"

    def fingerprint(self) -> str:
        status = self.path.stat()
        read_as = self._opened().pixels.shape
        return f"npy {status.st_size} {status.st_mtime_ns} {self.path.resolve()} {read_as}"

    def entries(self) -> NumberedEntries:
        return NumberedEntries(len(self._opened().pixels))

    def read(self, entry: Entry) -> NDArray[np.uint8]:
        """Raises ValueError for an image with values that are not finite or outside the range of the others."""
        found = self._opened()
        return as_uint8(found.pixels[int(entry.locator)], found.black, found.white)

    def _opened(self) -> OpenArray:
        status = self.path.stat()
        return _open_version(self.path, (status.st_ino, status.st_size, status.st_mtime_ns), self.channels)


@dataclass(frozen=True)
class OpenArray:
    pixels: NDArray[np.generic]
    """(N, H, W) or (N, H, W, C), mapped from disk."""
    black: float
    white: float


@lru_cache(maxsize=4)
def _open_version(path: Path, version: tuple[int, ...], channels: int | None) -> OpenArray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is not a NumPy file of plain numbers ({error}); write it with numpy.save") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path} holds several arrays; save the one that holds the images with numpy.save")
    images = channels_last(array, str(path), channels)
    return OpenArray(images, *_range_of(images, str(path)))


def _range_of(images: NDArray[np.generic], name: str) -> tuple[float, float]:
    """The values of black and white."""
    if is_uint8(images.dtype, name):
        return 0.0, 255.0
    chosen = np.linspace(0, len(images) - 1, min(len(images), RANGE_SAMPLE)).astype(int)
    values = np.asarray(images[chosen], np.float64)
    finite = values[np.isfinite(values)]  # images with other values are refused when they are read
    return infer_range(*((float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)), name)
