"""A packed data set on disk: every image decoded and preprocessed once, in one memory-mapped uint8 array.

    STORE/
      images.npy   uint8 (N, H, W, C), the alpha of RGBA premultiplied (data/alpha.py)
      labels.npy   int64 (N,), -1 without a class
      attributes.npy  float32 (N, A), of a labels file's columns, where there is one
      store.json   size, channels, fit, class names, columns, hashes of the images with and without labels, the scan's facts

A store's name is a hash of the images' content and of every setting that changes pixels, so it never becomes stale.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.data.attributes import Attributes
from ganglion.data.fit import Fit, fit_of
from ganglion.errors import DataError
from ganglion.recipe.attributes import Attribute
from ganglion.recipe.schema import Data

__all__ = [
    "FORMAT",
    "LOST",
    "Store",
    "find_packed",
    "find_same_images",
    "is_settled",
    "is_store",
    "open_store",
    "store_path",
    "store_without_losses",
]


FORMAT = 3  # 1 had straight alpha; 2 other levels of deep gray, and train and test as classes
KEYS = {"format", "content", "fit", "classes", "facts"}  # of store.json, among others
LOST = "(it could be read when it was scanned)"


@dataclass(frozen=True)
class Store:
    """A packed data set. `images` is mapped from disk: (N, H, W, C) uint8, the alpha of RGBA premultiplied."""

    path: Path
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: list[str]
    fit: Fit
    content: str
    facts: dict[str, Any]
    """The scan of its source, as JSON; `whys`: the reason of each setting that was chosen; `labels_file`: what is in one."""
    attributes: Attributes | None = None
    """Of each image, from a labels file."""
    images_content: str = ""
    """`content` without the labels file; empty of a store that another program packed."""

    def __getstate__(self) -> dict[str, Any]:
        """Without the images: another process maps them from the same file, instead of being sent a copy of them all."""
        return {key: value for key, value in vars(self).items() if key != "images"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, images=_mapped(state["path"]))


def _mapped(path: Path) -> NDArray[np.uint8]:
    images: NDArray[np.uint8] = np.load(path / "images.npy", mmap_mode="c", allow_pickle=False)
    return images


def is_store(path: Path) -> bool:
    """Whether the folder is a store, complete or not. One of images may hold a store.json of its own."""
    try:
        text = (path / "store.json").read_text(encoding="utf-8")
        if (path / "images.npy").is_file() and (path / "labels.npy").is_file():
            return True
        tree = json.loads(text)
    except (OSError, ValueError):  # also a name too long for any file
        return False
    return isinstance(tree, dict) and tree.keys() >= KEYS


def open_store(path: Path, cache: Path | None = None) -> Store:
    """Raises DataError where the folder is not a complete store: it may be deleted if it lies in `cache`."""
    try:
        tree = _part(path / "store.json", lambda file: json.loads(file.read_text(encoding="utf-8")))
        if tree["format"] != FORMAT:
            raise ValueError(
                f"another version of Ganglion packed it in format {tree['format']}, this one reads {FORMAT}"
            )
        settings = tree["fit"]
        images = _part(path / "images.npy", lambda file: _mapped(file.parent))
        labels = _part(path / "labels.npy", _loaded)
        pairs = {key: tuple(settings[key]) for key in ("size", "box") if settings[key] is not None}
        chosen = Fit(**{**settings, **pairs})
        if images.dtype != np.uint8 or images.shape != (len(labels), *chosen.size, chosen.channels):
            raise ValueError(f"images of shape {images.shape} and type {images.dtype}, {len(labels)} labels")
        columns = tuple(Attribute(**column) for column in tree.get("attributes", ()))
        attributes = Attributes(columns, _part(path / "attributes.npy", _loaded)) if columns else None
        return Store(
            path, images, labels, tree["classes"], chosen, tree["content"], tree["facts"], attributes,
            tree.get("images_content", ""),
        )  # fmt: skip
    except KeyError as error:
        reason = f"store.json has no {error}"
    except (ValueError, TypeError) as error:
        reason = str(error)
    ours = cache is not None and path.resolve().is_relative_to((cache / "stores").resolve())
    remedy = "delete it, and it is packed again" if ours else "copy it again, or name the images it was packed from"
    raise DataError(f"{path} is not a complete store ({reason}); {remedy}")


def _part(file: Path, read: Callable[[Path], Any]) -> Any:
    """A file of a store, read. Raises ValueError with its name."""
    try:
        return read(file)
    except (OSError, ValueError, EOFError) as error:
        why = (isinstance(error, OSError) and error.strerror) or error
        raise ValueError(f"{file.name} cannot be read: {why}") from None


def _loaded(file: Path) -> Any:
    return np.load(file, allow_pickle=False)


def store_without_losses(path: Path, cache: Path) -> Store | None:
    """The store there, if it has every image that could be read when its source was scanned."""
    store = open_store(path, cache) if is_store(path) else None
    return None if store is None or any(reason.endswith(LOST) for _, reason in store.facts["bad"]) else store


def is_settled(data: Data) -> bool:
    """Whether nothing of the preprocessing is open, as in the recipe of every run."""
    return "auto" not in (data.fit, data.trim, data.resample) and None not in (data.size, data.channels)


def find_packed(data: Data, cache: Path) -> Store | None:
    """The store that a run with this `data` began with, without its source; None where there is none. Raises DataError."""
    if data.content is None or not is_settled(data):
        return None
    path = store_path(data.content, fit_of(data), cache)
    return open_store(path, cache) if is_store(path) else None


def find_same_images(images_content: str, settings: Fit, cache: Path) -> Store | None:
    """A whole store of these images under these settings, whatever its labels are; None where there is none."""
    for file in (cache / "stores").glob("[!.]*/store.json"):
        with suppress(OSError, DataError):  # a store that is damaged or deleted
            if images_content.encode() in file.read_bytes():
                found = store_without_losses(file.parent, cache)
                if found and (found.images_content, found.fit) == (images_content, settings):
                    return found
    return None


def store_path(content: str, settings: Fit, cache: Path) -> Path:
    """Where images with this hash are packed."""
    key = hashlib.sha256(json.dumps([FORMAT, content, asdict(settings)]).encode()).hexdigest()[:32]
    return cache / "stores" / key
