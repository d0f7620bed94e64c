"""Sources of images in memory: arrays, tensors, lists of images, data sets.

N images, H height, W width, C channels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganglion.data.array_layout import ambiguous_axes, as_uint8, channel_axis, channels_last, infer_range, is_uint8
from ganglion.data.decode import pixels_of
from ganglion.data.sources import Entry, InThisProcess, NumberedEntries
from ganglion.errors import DataError

__all__ = [
    "ArraySource",
    "Items",
    "ItemsSource",
    "as_array",
]


HASHED_AT_ONCE = 4096  # images
RANGE_SAMPLE = 64  # items from which the range of floats is inferred
READ_TWICE = 16  # of them, to check that an item is the same each time


class Items(Protocol):
    """A list, an array, or a map-style data set such as torch.utils.data.Dataset."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


class ArraySource(InThisProcess):
    """An array of images, optionally with labels. Raises DataError for other arrays."""

    def __init__(
        self, images: NDArray[Any], labels: Any = None, description: str = "array", channels: int | None = None
    ) -> None:
        self.description = description
        self._images = channels_last(images, description, channels)
        self._range = _checked_range(self._images, description)
        self._labels = _all_labels(labels, len(images), description)

    def fingerprint(self) -> str:
        """Hash of every pixel and label, since the array may have been changed in place."""
        digest = hashlib.sha256(f"array {self._images.shape} {self._images.dtype} {self._labels}".encode())
        for first in range(0, len(self._images), HASHED_AT_ONCE):
            digest.update(np.ascontiguousarray(self._images[first : first + HASHED_AT_ONCE]).data)
        return digest.hexdigest()

    def entries(self) -> NumberedEntries:
        return NumberedEntries(len(self._images), self._labels)

    def read(self, entry: Entry) -> NDArray[np.uint8]:
        return as_uint8(self._images[int(entry.locator)], *self._range)


class ItemsSource(InThisProcess):
    """Items, each an image or (image, label); an image is a Pillow image, an array or a tensor.

    Raises DataError for an item that is not an image, or that differs between reads.
    """

    def __init__(
        self, items: Items, labels: Any = None, description: str = "items", channels: int | None = None
    ) -> None:
        if not len(items):
            raise DataError(f"{description} is empty: there is no image to train on")
        self.description, self._items, self._channels = description, items, channels
        self._given = None if labels is None else _all_labels(labels, len(items), description)
        self._classes = _class_names(items)
        self._range = self._checked_sample_range()

    def fingerprint(self) -> None:
        """None: the contents are known only after reading all items."""

    def entries(self) -> list[Entry]:
        return self._entries

    def read(self, entry: Entry) -> NDArray[np.uint8]:
        place = int(entry.locator)
        image, label = self._item(place)
        if self._given is None and label != entry.label:
            raise DataError(
                f"item {place} of {self.description} had the label {entry.label!r} and now has {label!r}: give a data set "
                "whose items are the same each time"
            )
        return self._levels(image, place)

    @cached_property
    def _entries(self) -> list[Entry]:
        labels = self._given or _targets(self._items, self._classes, self.description) or map(self._label, self._places)
        return [Entry(f"item {i}", i, label) for i, label in enumerate(labels)]

    @property
    def _places(self) -> range:
        return range(len(self._items))

    def _label(self, place: int) -> str | None:
        try:
            return self._item(place)[1]
        except (OSError, ValueError):  # the item's file cannot be read: it is skipped when it is scanned
            return None

    def _item(self, place: int) -> tuple[Any, str | None]:
        """The image as it is, and its label."""
        item = self._items[place]
        if not isinstance(item, tuple | list):
            return item, None
        if len(item) not in (1, 2):
            raise DataError(
                f"item {place} of {self.description} is a {type(item).__name__} of {len(item)}; an item is an image, or "
                "(image, label)"
            )
        label = item[1] if len(item) == 2 else None
        return item[0], _label_text(label, self._classes, f"item {place} of {self.description}")

    def _levels(self, image: Any, place: int) -> NDArray[np.uint8]:
        """Pixels (H, W) or (H, W, C)."""
        if isinstance(image, Image.Image):
            return pixels_of(image)
        try:
            return as_uint8(self._pixels(image, place), *self._range)
        except ValueError as error:
            raise DataError(
                f"item {place} of {self.description} has {error}: scale all of them alike, or leave it out"
            ) from None

    def _pixels(self, image: Any, place: int) -> NDArray[Any]:
        """The item's own array, channels last. Raises DataError where it is none."""
        name = f"item {place} of {self.description}"
        pixels = as_array(image)
        if pixels is None or pixels.ndim not in (2, 3):
            got = type(image).__name__ if pixels is None else f"an array of {pixels.ndim} axes"
            raise DataError(
                f"{name} is no image but {got}; an item is a Pillow image, or an array or tensor (H, W), (H, W, C) or "
                "(C, H, W), alone or as (image, label)"
            )
        is_uint8(pixels.dtype, name)
        if pixels.ndim == 2:
            return pixels
        axis = channel_axis(pixels.shape, self._channels)
        if axis is None:
            raise DataError(f"{name} has the shape {pixels.shape}: {ambiguous_axes(pixels.shape)}")
        return pixels if axis == 2 else pixels.transpose(1, 2, 0)  # (C, H, W) -> (H, W, C)

    def _checked_sample_range(self) -> tuple[float, float]:
        """Values of black and white, from some items, which are also checked to be images and equal in repeated reads."""
        count = len(self._items)
        lows, highs = [], []
        for i, place in enumerate(np.unique(np.linspace(0, count - 1, min(count, RANGE_SAMPLE)).astype(int)).tolist()):
            first, again = self._values(place), self._values(place) if i < READ_TWICE else None
            if first is None:
                continue
            if again is not None and not np.array_equal(first, again, equal_nan=first.dtype.kind == "f"):
                raise DataError(
                    f"item {place} of {self.description} differs each time it is read: remove random transforms; "
                    "augmentation belongs in the recipe"
                )
            finite = first[np.isfinite(first)]  # other values are refused when they are read
            if first.dtype.kind == "f" and finite.size:
                lows.append(float(finite.min()))
                highs.append(float(finite.max()))
        return infer_range(min(lows), max(highs), self.description) if lows else (0.0, 255.0)

    def _values(self, place: int) -> NDArray[Any] | None:
        """The item's pixels, not scaled; None where its file cannot be read."""
        try:
            image = self._item(place)[0]
            return np.asarray(image) if isinstance(image, Image.Image) else self._pixels(image, place)
        except (OSError, ValueError):
            return None


def as_array(value: Any) -> NDArray[Any] | None:
    """A NumPy array, a tensor on any device, or another library's array, as a NumPy array; None for anything else."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach"):  # a torch tensor
        tensor = value.detach().cpu()
        return np.asarray(tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor)
    return np.asarray(value) if hasattr(value, "__array__") and hasattr(value, "shape") else None


def _checked_range(images: NDArray[Any], name: str) -> tuple[float, float]:
    """Values of black and white. Raises DataError for an empty array or invalid values."""
    if not images.size:
        raise DataError(f"{name} is empty: there is no image to train on")
    if is_uint8(images.dtype, name):
        return 0.0, 255.0
    pixels = tuple(range(1, images.ndim))
    lows, highs = images.min(axis=pixels), images.max(axis=pixels)  # (N,)
    wrong = np.flatnonzero(~(np.isfinite(lows) & np.isfinite(highs)))
    if wrong.size:
        raise DataError(f"image {wrong[0]} of {name} has values that are not finite: leave it out, or repair it")
    return infer_range(float(lows.min()), float(highs.max()), name)


def _all_labels(labels: Any, count: int, name: str) -> list[str | None]:
    """One label per image. Raises DataError where their number differs."""
    if labels is None:
        return [None] * count
    found = as_array(labels)
    shape = found.shape if found is not None else (len(labels),) if isinstance(labels, list | tuple) else ()
    if shape != (count,):
        raise DataError(
            f"{name} has {count:,} images, and labels of shape {tuple(shape)}: give a list or array of one number or text for "
            "each image, in their order"
        )
    values: Sequence[Any] = labels if found is None else found.tolist()
    return [_label_text(value, (), f"image {i} of {name}") for i, value in enumerate(values)]


def _label_text(label: Any, classes: Sequence[str], owner: str) -> str | None:
    """The class as a string; None for None or a negative number. Raises DataError for other values."""
    if label is None or isinstance(label, str):
        return label
    found = as_array(label)
    value = label if found is None else found.item() if found.ndim == 0 else None
    if not isinstance(value, int | np.integer):
        got = type(label).__name__ if found is None or found.ndim == 0 else f"an array of shape {found.shape}"
        raise DataError(f"the label of {owner} is {got}; a label is a whole number or a text, one for each image")
    if value < 0:
        return None
    if classes and value >= len(classes):
        raise DataError(
            f"the label of {owner} is {value}, and there are {len(classes)} names in .classes: 0 to {len(classes) - 1}"
        )
    return classes[int(value)] if classes else str(int(value))


def _class_names(items: Any) -> tuple[str, ...]:
    """`.classes` of a data set, or of the one that it is a subset of; empty where two are equal."""
    while not hasattr(items, "classes") and hasattr(items, "dataset"):  # torch.utils.data.Subset
        items = items.dataset
    found = getattr(items, "classes", None)
    if not isinstance(found, list | tuple):
        return ()
    names = [name if isinstance(name, str) else ", ".join(map(str, name)) for name in found]
    return tuple(names) if len(set(names)) == len(names) else ()


def _targets(items: Any, classes: Sequence[str], name: str) -> list[str | None] | None:
    """All labels from `.targets`, as in torchvision's data sets, without reading images; None where that does not exist."""
    found = as_array(items.targets) if hasattr(items, "targets") else None
    if found is None and isinstance(getattr(items, "targets", None), list):
        found = np.asarray(items.targets)
    if found is None or getattr(items, "target_transform", None) is not None:
        return None
    if found.shape != (len(items),) or found.dtype.kind not in "iu":
        return None
    return [_label_text(value, classes, f"item {i} of {name}") for i, value in enumerate(found.tolist())]
