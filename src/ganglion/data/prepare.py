"""From a recipe's `data` part to a store: find the source, scan it, choose size and channels, pack."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from platformdirs import user_cache_path

from ganglion.data.decode import MODE_FOR, mode_channels
from ganglion.data.find import find_source
from ganglion.data.given import Images, given_source, is_named
from ganglion.data.labels_file import LabelsFile, find_labels_file
from ganglion.data.scan import Scan, printable, scan
from ganglion.data.sources import Source
from ganglion.data.store import Fit, Store, find_packed, is_store, open_store, pack
from ganglion.errors import DataError
from ganglion.recipe.schema import Channels, Data
from ganglion.recipe.size import Size, nearest_sizes, size_text

__all__ = [
    "DataPlan",
    "Reporter",
    "cache_folder",
    "check_channels",
    "choose_channels",
    "choose_size",
    "plan",
    "prepare",
    "prepare_again",
]


LARGEST_SHORT_SIDE = 64
NEARLY_SQUARE = 1.3


def choose_channels(scan: Scan) -> tuple[Channels, str]:
    """The channels, and the reason. Raises DataError where arrays with different numbers of channels are mixed."""
    if (count := _array_channels(scan)) is not None:
        return count, "the channels of every image"
    if 2 * scan.alpha > scan.images:
        return 4, f"{scan.alpha} of {scan.images} images have transparent pixels"
    over_white = f"; {scan.alpha} images with transparent pixels are composited over white" if scan.alpha else ""
    if scan.gray == scan.images:
        return 1, f"every image is gray{over_white}"
    return 3, f"{scan.images - scan.gray} of {scan.images} images are in colour{over_white}"


def check_channels(scan: Scan, channels: Channels) -> None:
    """Raises DataError where the images cannot be converted to so many channels."""
    count = _array_channels(scan)
    if count is not None and count != channels:
        raise DataError(
            f"{printable(scan.description)} has images of {count} channels, and data.channels is {channels}: leave it out, or "
            "choose among the channels yourself, such as images[..., [3, 2, 1]]"
        )
    if count is None and channels not in MODE_FOR:
        raise DataError(
            f"{printable(scan.description)} has images that are gray, RGB or RGB with alpha, and data.channels is {channels}: "
            "set it to 1, 3 or 4, or leave it out"
        )


def _array_channels(scan: Scan) -> int | None:
    """Number of channels of every image, for arrays with channels that Pillow does not support; None for other images."""
    counts = {mode_channels(mode) for mode in scan.modes}
    if len(counts) > 1:
        raise DataError(
            f"{printable(scan.description)} mixes images of different channels ("
            + ", ".join(f"{count:,} of {mode}" for mode, count in scan.modes.items())
            + "): all must have the same number"
        )
    return next(iter(counts), None)


def choose_size(scan: Scan) -> tuple[Size, str]:
    """The size, and the reason: the aspect ratio of the median, short side at most 64, reachable by doublings."""
    height, width = scan.median_size
    if max(height, width) < NEARLY_SQUARE * min(height, width):
        height = width = min(height, width)
    scale = min(1.0, LARGEST_SHORT_SIDE / min(height, width))
    target = math.floor(height * scale), math.floor(width * scale)
    size = nearest_sizes(target)[0]
    return size, f"the median image is {size_text(scan.median_size)}; --size chooses another"


class Reporter(Protocol):
    """Progress display; `steps(text)` returns a callback for (done, total)."""

    def steps(self, text: str) -> Callable[[int, int], None]: ...


@dataclass(frozen=True)
class DataPlan:
    """The scanned images and the planned preprocessing."""

    source: Source
    scan: Scan
    fit: Fit
    reasons: dict[str, str]
    """Reasons by key (size, channels), for values chosen from the images."""
    labels: LabelsFile | None = None
    """The labels file, where there is one; the scan's hash covers it."""


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of scans and stores: $GANGLION_CACHE, or the user's cache folder."""
    chosen = environment.get("GANGLION_CACHE")
    return Path(chosen) if chosen else user_cache_path("ganglion")


def plan(data: Data, cache: Path, reporter: Reporter, images: Images | None = None) -> DataPlan:
    """Scans the source and chooses size and channels. Raises DataError.

    `images` are images in memory; otherwise the source is named in `data`.
    """
    source = _source(data, images)
    found, labels = _with_labels(source, scan(source, cache, reporter.steps("Scanning images")), data.labels)
    reasons = {}
    size, channels = data.size, data.channels
    if size is None:
        size, reasons["size"] = choose_size(found)
    if channels is None:
        channels, reasons["channels"] = choose_channels(found)
    check_channels(found, channels)
    return DataPlan(source, found, Fit(size, channels, data.fit), reasons, labels)


def _with_labels(source: Source, found: Scan, wanted: str) -> tuple[Scan, LabelsFile | None]:
    """The labels file, and the scan with a hash that changes with it; then it is no skipped file."""
    labels = find_labels_file(source, wanted)
    if labels is None:
        return found, None
    content = hashlib.sha256(f"{found.content} {labels.digest(source.entries())}".encode()).hexdigest()
    bad = [(path, reason) for path, reason in found.bad if labels.key is None or path != printable(labels.key)]
    return replace(found, content=content, bad=bad), labels


def prepare(data: Data, cache: Path, reporter: Reporter, images: Images | None = None) -> Store:
    """The store of `data.source`, or of `images` in memory with the settings of `data`. Raises DataError."""
    if is_named(images) and is_store(path := Path(_named(data))):
        return _checked(open_store(path), data)
    data_plan = plan(data, cache, reporter, images)
    packing = reporter.steps("Packing images")
    return pack(data_plan.source, data_plan.scan, data_plan.fit, cache, packing, data_plan.labels)


def prepare_again(data: Data, cache: Path, reporter: Reporter) -> Store:
    """The images of a run; from the packed store where their source is gone or was in memory. Raises DataError."""
    try:
        return prepare(data, cache, reporter)
    except DataError:
        if data.content is None or data.size is None or data.channels is None:
            raise
        kept = find_packed(data.content, Fit(data.size, data.channels, data.fit), cache)
        if kept is None:
            raise
        return replace(kept, facts=kept.facts | {"description": f"{data.source}, as it was packed"})


def _source(data: Data, images: Images | None) -> Source:
    if is_named(images):
        return find_source(_named(data), data.data_dir, data.channels)
    if data.data_dir is not None:
        raise DataError(
            f"data_dir goes with a named data set; it is {data.data_dir}, and the images are given: leave it out"
        )
    return given_source(images, data.channels)


def _named(data: Data) -> str:
    if not data.source:
        raise DataError("no source of images is given: name a folder, a zip, an IDX file, or a data set such as digits")
    return data.source


def _checked(store: Store, data: Data) -> Store:
    """A store is already packed: size and channels must be those of the recipe."""
    for key, expected, stored in (("size", data.size, store.fit.size), ("channels", data.channels, store.fit.channels)):
        if expected is not None and expected != stored:
            raise DataError(
                f"the store {store.path} holds images of {key} {stored}, not {expected}: name the source it was made from"
            )
    description = f"store {store.path}, packed from {store.facts['description']}"
    return replace(store, facts=store.facts | {"description": description})
