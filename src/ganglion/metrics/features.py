"""Sets of images, feature extractors, and cached extraction, which all scores share.

N images, C channels, H height, W width, A features, K classes."""

from __future__ import annotations

import hashlib
import math
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.data.alpha import premultiplied
from ganglion.data.fit import Fit
from ganglion.data.pixels import to_float
from ganglion.data.store import FORMAT, Store
from ganglion.errors import DataError
from ganglion.platform.files import move, storage_errors
from ganglion.recipe.schema import MOST_CHANNELS

__all__ = [
    "Extractor",
    "ExtractorOutput",
    "Features",
    "ImageSet",
    "array_set",
    "extract",
    "images_at_once",
    "packed_key",
    "store_set",
    "weights_hash",
]


HASHED_AT_ONCE = 4096


@dataclass(frozen=True)
class ImageSet:
    """Images uint8 (N, H, W, C), in memory or mapped from disk; the alpha of RGBA premultiplied, as in a store.

    With an index or a slice, the images there; `images` are all of them.
    """

    name: str
    source: NDArray[np.uint8]
    """(M, H, W, C), of which these are all, or those that `chosen` names."""
    content: str
    """Hash of the images and of their preprocessing."""
    resize: str = "not resized"
    labels: NDArray[np.int64] | None = None
    """(N,) classes; None where not every image has one."""
    classes: tuple[str, ...] = ()
    held_out: NDArray[np.bool_] | None = None
    """(N,) whether the run of the samples held the image out from training; None where that is not known."""
    chosen: NDArray[np.int64] | None = None
    """(N,) places in `source`; None: all."""

    def __len__(self) -> int:
        return len(self.source) if self.chosen is None else len(self.chosen)

    def __getitem__(self, places: slice | NDArray[np.integer]) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = self.source[places if self.chosen is None else self.chosen[places]]
        return found

    @property
    def images(self) -> NDArray[np.uint8]:
        """All (N, H, W, C); a copy of those that were picked."""
        return self[:]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        h, w, c = self.source.shape[1:]
        return int(h), int(w), int(c)

    def pick(self, chosen: NDArray[np.int64]) -> ImageSet:
        """The images at these indices, as a set; they are not copied."""
        key = hashlib.sha256(self.content.encode() + chosen.astype(np.int64).tobytes()).hexdigest()
        labels = None if self.labels is None else self.labels[chosen]
        held_out = None if self.held_out is None else self.held_out[chosen]
        places = chosen if self.chosen is None else self.chosen[chosen]
        return replace(self, chosen=places, labels=labels, held_out=held_out, content=key)


def store_set(store: Store) -> ImageSet:
    """A packed data set. `content` is a hash of the source's images and of their preprocessing."""
    h, w = store.fit.size
    key = packed_key(store.content, store.fit)
    trimmed = "" if store.fit.trim == "off" else f", trim {store.fit.trim}"
    labelled = bool((store.labels >= 0).all()) and len(store.classes) > 1
    return ImageSet(
        str(store.facts["description"]), store.images, key,
        f"{store.fit.policy} to {h}x{w} ({store.fit.resample.capitalize()}{trimmed})",
        store.labels if labelled else None, tuple(store.classes) if labelled else (),
    )  # fmt: skip


def packed_key(content: str, settings: Fit) -> str:
    """The `content` of the set of a store whose images have this hash."""
    return hashlib.sha256(f"{FORMAT} {content} {settings}".encode()).hexdigest()


def array_set(name: str, images: NDArray[np.uint8]) -> ImageSet:
    """Images (N, H, W, C) from memory, of 4 channels RGBA with straight alpha. Raises DataError for other shapes and types."""
    if images.ndim != 4 or images.dtype != np.uint8 or not 1 <= images.shape[3] <= MOST_CHANNELS or not images.size:
        raise DataError(
            f"{name} must be uint8 (N, H, W, C), at least one, with 1 to {MOST_CHANNELS} channels; got {images.dtype} "
            f"{tuple(images.shape)}"
        )
    key = hashlib.sha256(str(images.shape).encode())
    for first in range(0, len(images), HASHED_AT_ONCE):
        key.update(np.ascontiguousarray(images[first : first + HASHED_AT_ONCE]).data)
    return ImageSet(name, premultiplied(images), key.hexdigest())


MOST_IN_CHUNK, NUMBERS_IN_CHUNK = 250, 2**24  # images, and pixels times channels, that are embedded at once


class ExtractorOutput(NamedTuple):
    """Output of an extractor for N images."""

    features: Tensor
    """float (N, A)."""
    probabilities: Tensor | None
    """float (N, K) of its classes; None without a classifier."""


@dataclass(frozen=True)
class Extractor:
    """`embed` takes float images (N, C, H, W) in [-1, 1] on `device`."""

    name: str
    hash: str
    """Of weights and settings: equal hashes give equal features."""
    about: str
    """Description, and what its scores are comparable with."""
    embed: Callable[[Tensor], ExtractorOutput]
    device: torch.device
    classes: tuple[str, ...] = ()
    comparable: bool = False
    """Whether the features are public, so that scores are comparable with published ones."""
    trained_on: Callable[[ImageSet], NDArray[np.bool_]] | None = None
    """Which of these images (N,) its network was trained on; None for none. Distances to its training images are biased, so
    samples are not compared with them."""


class Features(NamedTuple):
    """Features of a set, in memory or memory-mapped."""

    features: NDArray[np.float32]
    """(N, A)"""
    probabilities: NDArray[np.float32] | None
    """(N, K)"""


def extract(
    images: ImageSet,
    extractor: Extractor,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Features:
    """The features of `images`, cached in `folder` by set and extractor.

    They are written to a temporary folder and renamed, so there are no partial files; memory is constant in N.
    """
    key = hashlib.sha256(f"{images.content} {(len(images), *images.shape)} {extractor.hash}".encode()).hexdigest()[:32]
    cached = folder / key
    if not (cached / "features.npy").is_file():
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            writing = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=folder))
            try:
                _write(images, extractor, writing, progress)
                if not cached.exists():  # another process may have been faster
                    move(writing, cached)
            finally:
                shutil.rmtree(writing, ignore_errors=True)
    path = cached / "probabilities.npy"
    probabilities = np.load(path, mmap_mode="r") if path.is_file() else None
    return Features(np.load(cached / "features.npy", mmap_mode="r"), probabilities)


def _write(images: ImageSet, extractor: Extractor, folder: Path, progress: Callable[[int, int], None]) -> None:
    files: dict[str, NDArray[np.float32]] = {}
    at_once = images_at_once(images.shape, NUMBERS_IN_CHUNK, MOST_IN_CHUNK)
    for first in range(0, len(images), at_once):
        pixels = torch.from_numpy(np.array(images[first : first + at_once])).to(extractor.device)
        with torch.no_grad():
            output = extractor.embed(to_float(pixels).contiguous())
        for name, values in zip(ExtractorOutput._fields, output, strict=True):
            if values is None:
                continue
            if name not in files:
                shape = (len(images), values.shape[1])
                files[name] = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float32, shape)
            files[name][first : first + at_once] = values.float().cpu().numpy()
        progress(min(first + at_once, len(images)), len(images))
    for file in files.values():
        file.flush()  # type: ignore[attr-defined]  # a memory map


def images_at_once(shape: Sequence[int], numbers: int, most: int) -> int:
    """How many images of this shape hold at most so many numbers together; at least one, at most `most`."""
    return min(most, max(1, numbers // math.prod(shape)))


def weights_hash(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights by name."""
    key = hashlib.sha256()
    for name, tensor in state.items():
        key.update(name.encode())
        key.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return key.hexdigest()
