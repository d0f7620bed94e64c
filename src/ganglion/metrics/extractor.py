"""What turns images into features, and the one pass that every score shares.

N images, C channels, H height, W width, A features, K classes.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.data.atomic import move, storage_errors
from ganglion.data.pixels import to_float
from ganglion.metrics.images import ImageSet

__all__ = ["Extractor", "Features", "Seen", "extract", "weights_hash"]

CHUNK = 250


class Seen(NamedTuple):
    """What an extractor sees in N images."""

    features: Tensor
    """float (N, A)."""
    probabilities: Tensor | None
    """float (N, K) of its classes; None for one that knows none."""


@dataclass(frozen=True)
class Extractor:
    """`look` takes float images (N, C, H, W) in [-1, 1] on `device`."""

    name: str
    hash: str
    """Of weights and settings: equal hashes give equal features."""
    about: str
    """What it is and what its scores can say, in a sentence."""
    look: Callable[[Tensor], Seen]
    device: torch.device
    classes: tuple[str, ...] = ()
    comparable: bool = False
    """Whether others use the same features, so that a score means something beside theirs."""
    trained_on: Callable[[ImageSet], NDArray[np.bool_]] | None = None
    """Which of these images (N,) its network was trained on; None where that is none of them by construction. Distances
    to such images are not those to unseen ones, and are no reference for samples."""


class Features(NamedTuple):
    """Features of a set, in memory or mapped from disk."""

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
    """The features of `images`, from `folder` where this set was seen by this extractor before.

    They are written beside their place and renamed, so there is never half a file; memory is flat in N.
    """
    key = hashlib.sha256(f"{images.content} {images.images.shape} {extractor.hash}".encode()).hexdigest()[:32]
    place = folder / key
    if not (place / "features.npy").is_file():
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            writing = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=folder))
            try:
                _write(images, extractor, writing, progress)
                if not place.exists():  # another process may have been quicker
                    move(writing, place)
            finally:
                shutil.rmtree(writing, ignore_errors=True)
    kept = place / "probabilities.npy"
    probabilities = np.load(kept, mmap_mode="r") if kept.is_file() else None
    return Features(np.load(place / "features.npy", mmap_mode="r"), probabilities)


def _write(images: ImageSet, extractor: Extractor, folder: Path, progress: Callable[[int, int], None]) -> None:
    files: dict[str, NDArray[np.float32]] = {}
    for first in range(0, len(images), CHUNK):
        pixels = torch.from_numpy(np.array(images.images[first : first + CHUNK])).to(extractor.device)
        with torch.no_grad():
            seen = extractor.look(to_float(pixels).contiguous())
        for name, values in zip(Seen._fields, seen, strict=True):
            if values is None:
                continue
            if name not in files:
                shape = (len(images), values.shape[1])
                files[name] = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float32, shape)
            files[name][first : first + CHUNK] = values.float().cpu().numpy()
        progress(min(first + CHUNK, len(images)), len(images))
    for file in files.values():
        file.flush()  # type: ignore[attr-defined]  # a memory map


def weights_hash(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights by name."""
    key = hashlib.sha256()
    for name, tensor in state.items():
        key.update(name.encode())
        key.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return key.hexdigest()
