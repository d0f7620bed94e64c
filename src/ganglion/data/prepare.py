"""The way from a recipe's `data` part to a store: find, scan, choose size and channels where they were left open, pack."""

from __future__ import annotations

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
    """The channels, and the reason in a few words. Raises DataError where arrays of several numbers of them are mixed."""
    if (count := _array_channels(scan)) is not None:
        return count, "every image has as many"
    if 2 * scan.alpha > scan.images:
        return 4, f"{scan.alpha} of {scan.images} images have transparent pixels"
    laid_over_white = f"; transparent pixels of {scan.alpha} images are laid over white" if scan.alpha else ""
    if scan.gray == scan.images:
        return 1, f"every image is gray{laid_over_white}"
    return 3, f"{scan.images - scan.gray} of {scan.images} images are in colour{laid_over_white}"


def check_channels(scan: Scan, channels: Channels) -> None:
    """Raises DataError where the images cannot be made to have so many channels."""
    there = _array_channels(scan)
    if there is not None and there != channels:
        raise DataError(
            f"{printable(scan.description)} has images of {there} channels, and data.channels is {channels}: leave it out, or "
            "choose among the channels yourself, such as images[..., [3, 2, 1]]"
        )
    if there is None and channels not in MODE_FOR:
        raise DataError(
            f"{printable(scan.description)} has images that are gray, RGB or RGB with alpha, and data.channels is {channels}: "
            "set it to 1, 3 or 4, or leave it out"
        )


def _array_channels(scan: Scan) -> int | None:
    """How many channels every image has, where Pillow knows no such images; None for those that it does."""
    counts = {mode_channels(mode) for mode in scan.modes}
    if len(counts) > 1:
        raise DataError(
            f"{printable(scan.description)} mixes images of different channels ("
            + ", ".join(f"{count:,} of {mode}" for mode, count in scan.modes.items())
            + "): all have to have as many"
        )
    return next(iter(counts), None)


def choose_size(scan: Scan) -> tuple[Size, str]:
    """The size, and the reason in a few words: the median's shape, short side at most 64, reachable by doublings."""
    height, width = scan.median_size
    if max(height, width) < NEARLY_SQUARE * min(height, width):
        height = width = min(height, width)
    scale = min(1.0, LARGEST_SHORT_SIDE / min(height, width))
    wanted = math.floor(height * scale), math.floor(width * scale)
    size = nearest_sizes(wanted)[0]
    return size, f"the median image is {size_text(scan.median_size)}; --size chooses another"


class Reporter(Protocol):
    """Whoever wants to know how far reading has got; `steps(text)` returns a callback for (done, total)."""

    def steps(self, text: str) -> Callable[[int, int], None]: ...


@dataclass(frozen=True)
class DataPlan:
    """What is there, and what would be done to it."""

    source: Source
    scan: Scan
    fit: Fit
    reasons: dict[str, str]
    """Why, by key (size, channels), for what the recipe left open."""


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where scans and stores are kept: $GANGLION_CACHE, or the user's cache folder."""
    chosen = environment.get("GANGLION_CACHE")
    return Path(chosen) if chosen else user_cache_path("ganglion")


def plan(data: Data, cache: Path, reporter: Reporter, images: Images | None = None) -> DataPlan:
    """Scans the source and settles size and channels. Raises DataError.

    `images` are those themselves where a Python program holds them; a name stands in `data`.
    """
    source = _source(data, images)
    found = scan(source, cache, reporter.steps("Scanning images"))
    reasons = {}
    size, channels = data.size, data.channels
    if size is None:
        size, reasons["size"] = choose_size(found)
    if channels is None:
        channels, reasons["channels"] = choose_channels(found)
    check_channels(found, channels)
    return DataPlan(source, found, Fit(size, channels, data.fit), reasons)


def prepare(data: Data, cache: Path, reporter: Reporter, images: Images | None = None) -> Store:
    """The store that `data` describes, or of `images` as `data` has them. Raises DataError."""
    if is_named(images) and is_store(path := Path(_named(data))):
        return _checked(open_store(path), data)
    settled = plan(data, cache, reporter, images)
    return pack(settled.source, settled.scan, settled.fit, cache, reporter.steps("Packing images"))


def prepare_again(data: Data, cache: Path, reporter: Reporter) -> Store:
    """The images of a run; where their source is gone, or was given in Python, as they were packed for it. Raises DataError."""
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
        raise DataError("no source of images was named: a folder, a zip, an IDX file, or a data set such as digits")
    return data.source


def _checked(store: Store, data: Data) -> Store:
    """A store is already packed: what the recipe asks for has to be what it holds."""
    for key, asked, held in (("size", data.size, store.fit.size), ("channels", data.channels, store.fit.channels)):
        if asked is not None and asked != held:
            raise DataError(
                f"the store {store.path} holds images of {key} {held}, not {asked}: name the source it was made from"
            )
    told = f"store {store.path}, packed from {store.facts['description']}"
    return replace(store, facts=store.facts | {"description": told})
