"""Images in memory in place of a name: their source, and their description in a recipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from ganglion.data.hub import RowsSource
from ganglion.data.in_memory import ArraySource, Items, ItemsSource, as_array
from ganglion.data.sources import Source
from ganglion.errors import DataError

__all__ = ["Images", "cannot_be_named", "given_source", "is_named", "name_of"]


Images = str | Path | Items
"""A name or path; an array or tensor; a list of Pillow images; a data set of torch or of Hugging Face; or (images, labels)."""

IN_PYTHON = ", given in Python"


def is_named(images: Images | None) -> TypeGuard[str | Path | None]:
    """Whether the images are given by name, as on a command line."""
    return images is None or isinstance(images, str | os.PathLike)


def name_of(images: Images | None) -> str | Path | None:
    """The recipe's `data.source` for these images: their name, or a description. Raises DataError for other objects."""
    return images if is_named(images) else _described(images)


def cannot_be_named(name: str) -> bool:
    """Whether `name` is a description of images in memory."""
    return name.endswith(IN_PYTHON)


def given_source(images: Any, channels: int | None = None) -> Source:
    """The source for images in memory; `channels` is the recipe's number of channels. Raises DataError."""
    description = _described(images)
    held, labels = _split_labels(images)
    if _is_rows(held):
        return RowsSource(held, description)
    array = as_array(held)
    if array is not None:
        return ArraySource(array, labels, description, channels)
    return ItemsSource(held, labels, description, channels)


def _split_labels(images: Any) -> tuple[Any, Any]:
    """Images and labels of `(images, labels)`; a pair of single images is not such a pair."""
    if isinstance(images, tuple) and len(images) == 2 and _holds_many(images[0]):
        return images
    return images, None


def _holds_many(images: Any) -> bool:
    array = as_array(images)
    if array is not None:
        return array.ndim > 2
    return hasattr(images, "__len__") and not isinstance(images, str)  # a Pillow image has no length


def _described(images: Any) -> str:
    """`array (1000, 32, 32, 3) uint8, given in Python`. Raises DataError for other objects."""
    held, labels = _split_labels(images)
    if labels is not None and _is_rows(held):
        raise DataError("a datasets.Dataset has its labels in a column of ClassLabel: pass it without separate labels")
    array = as_array(held)
    if _is_rows(held):
        words = f"datasets.Dataset ({len(held)} rows)"
    elif array is not None:
        words = f"{'tensor' if hasattr(held, 'detach') else 'array'} {tuple(array.shape)} {array.dtype}"
    elif isinstance(held, list | tuple):
        words = f"list ({len(held)} items)"
    else:
        _check_items(held)
        words = f"{type(held).__name__} ({len(held)} items)"
    return f"{words}{', labelled' if labels is not None else ''}{IN_PYTHON}"


def _check_items(held: Any) -> None:
    """Raises DataError where there are no items that can be read by index."""
    kind = type(held).__name__
    if isinstance(held, Mapping):
        keys = ", ".join(map(str, list(held)[:5]))
        raise DataError(f"a {kind} holds several things ({keys}): give one of them, the images")
    if not (hasattr(held, "__len__") and hasattr(held, "__getitem__")):
        raise DataError(
            f"a {kind} has no items that can be read by index; images are a name or path, an array or tensor, a list of "
            "Pillow images, or a data set with a length (of a DataLoader, its .dataset)"
        )


def _is_rows(held: Any) -> bool:
    """Whether it is a `datasets.Dataset`, without importing the library."""
    library = sys.modules.get("datasets")
    return library is not None and isinstance(held, library.Dataset)
