"""From a recipe's `data` part to a store: find the source, scan it, choose size and channels, pack."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ganglion.data.choices import choose
from ganglion.data.file_names import printable
from ganglion.data.find import find_source
from ganglion.data.fit import Fit, fit_of
from ganglion.data.given import Images, given_source, is_named
from ganglion.data.labels_file import AUTO, FOLDERS, LabelsFile, find_labels_file
from ganglion.data.pack import check_writable, pack
from ganglion.data.scan import Scan, scan
from ganglion.data.sources import Source
from ganglion.data.store import Store, find_packed, is_settled, is_store, open_store
from ganglion.errors import DataError
from ganglion.platform.files import cache_folder
from ganglion.recipe.schema import Data

__all__ = [
    "DataPlan",
    "Reporter",
    "cache_folder",
    "plan",
    "prepare",
    "prepare_again",
    "prepare_same",
]


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
    """Reasons by key (size, channels, fit, trim, resample), for values chosen from the images."""
    labels: LabelsFile | None = None
    """The labels file, where there is one; the scan's hash covers it."""


def plan(data: Data, cache: Path, reporter: Reporter, images: Images | None = None) -> DataPlan:
    """Scans the source and chooses what `data` leaves open. Raises DataError.

    `images` are images in memory; otherwise the source is named in `data`.
    """
    source = _source(data, images)
    found, labels = _with_labels(source, scan(source, cache, reporter.steps("Scanning images")), data.labels)
    return DataPlan(source, found, *choose(found, data), labels)


def _with_labels(source: Source, found: Scan, wanted: str) -> tuple[Scan, LabelsFile | None]:
    """The labels file, and the scan with a hash that changes with it; then it is no skipped file."""
    labels = find_labels_file(source, wanted)
    if labels is None:
        return found, None
    skipped = {path for path, _ in found.bad}
    usable = [entry for entry in source.entries() if printable(entry.key) not in skipped]
    content = hashlib.sha256(f"{found.content} {labels.digest(usable)}".encode()).hexdigest()
    bad = [(path, reason) for path, reason in found.bad if path not in labels.keys]
    return replace(found, content=content, bad=bad, content_without_labels=found.content), labels


def prepare(data: Data, cache: Path, reporter: Reporter, images: Images | None = None) -> Store:
    """The store of `data.source`, or of `images` in memory with the settings of `data`. Raises DataError."""
    if is_named(images) and is_store(path := Path(_named(data))):
        return _checked(open_store(path, cache), data)
    check_writable(cache)
    data_plan = plan(data, cache, reporter, images)
    packing = reporter.steps("Packing images")
    store = pack(data_plan.source, data_plan.scan, data_plan.fit, cache, packing, data_plan.labels)
    return replace(store, facts=store.facts | {"whys": data_plan.reasons})


def prepare_again(data: Data, cache: Path, reporter: Reporter) -> Store:
    """The images of a run; from the packed store where their source is gone or was in memory. Raises DataError."""
    try:
        return prepare(data, cache, reporter)
    except DataError:
        kept = find_packed(data, cache)
        if kept is None:
            raise
        return replace(kept, facts=kept.facts | {"description": f"{data.source}, as it was packed"})


def prepare_same(store: Store, data: Data, cache: Path, reporter: Reporter, images: Images | None = None) -> Store:
    """The images and labels of `store`, made to fit as `data` has it: as they are packed, or packed now from their source.

    Raises DataError where that holds others by now.
    """
    if is_settled(data) and fit_of(data) == store.fit:
        return store
    found = find_packed(data.model_copy(update={"content": store.content}), cache)
    if found is not None:
        return replace(found, facts=found.facts | {"description": store.facts["description"]})
    made = prepare(data, cache, reporter, images)
    if made.content != store.content:
        raise DataError(
            f"{printable(made.facts['description'])} has changed since this run began ({len(store.images):,} images then, "
            f"{len(made.images):,} now), and all attempts of a run train on the same images: put them back as they were"
        )
    return made


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
    """A store is already packed: what the recipe says of its images has to be so."""
    fit, has_file = store.fit, "labels_file" in store.facts
    if data.labels != AUTO and (data.labels != FOLDERS) != has_file:
        raise DataError(
            f"the store {store.path} was packed with{'' if has_file else 'out'} a file of labels, and data.labels is "
            f"{data.labels}: name the source it was made from, or leave data.labels out"
        )
    settings = (
        ("size", data.size, fit.size, (None,)), ("channels", data.channels, fit.channels, (None,)),
        ("fit", data.fit, fit.policy, ("auto",)), ("trim", data.trim, fit.trim, ("auto",)),
        ("resample", data.resample, fit.resample, ("auto",)),
        ("white_level", data.white_level, fit.white_level, (None,)),
        ("duplicates", data.duplicates, fit.duplicates, ("keep",)),
    )  # fmt: skip
    for key, asked, stored, open_ in settings:
        if asked not in open_ and asked != stored:
            raise DataError(
                f"the store {store.path} was packed with data.{key} {stored}, not {asked}: name the source it was made from"
            )
    description = f"store {store.path}, packed from {store.facts['description']}"
    return replace(store, facts=store.facts | {"description": description})
