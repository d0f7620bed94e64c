"""Packs a source: every image that could be scanned is written into a store, with its labels."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from ganglion.data.columns import natural
from ganglion.data.file_names import printable
from ganglion.data.fit import Fit
from ganglion.data.labels import check_used, read_labels
from ganglion.data.labels_file import LabelsFile
from ganglion.data.pack_images import WrittenImages, link_images, write_images
from ganglion.data.scan import Scan, is_unchanged
from ganglion.data.sources import Entry, Source
from ganglion.data.store import FORMAT, LOST, Store, find_same_images, open_store, store_path, store_without_losses
from ganglion.errors import DataError
from ganglion.platform.cache import cache_errors, check_space
from ganglion.platform.files import move, sync_folder, write_synced

__all__ = ["check_writable", "pack"]

WHAT = "packed images"


def pack(
    source: Source,
    scan: Scan,
    settings: Fit,
    cache: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    labels: LabelsFile | None = None,
) -> Store:
    """The store of `source` under `settings`, packed now if there is none. Calls `progress(done, total)`.

    Raises DataError where the source no longer holds what was scanned, StorageError where the cache cannot hold the store.
    If two processes need the same store, the second waits, then opens that of the first. `scan.content` changes with `labels`.
    """
    path = store_path(scan.content, settings, cache)
    if (known := store_without_losses(path, cache)) is not None:
        packed = _described(known, scan)
        check_used(labels, packed.facts.get("labels_file", {}))
        return packed
    need_bytes = _images_of(scan, settings) * math.prod(settings.size) * settings.channels
    with cache_errors(path.parent, WHAT, need_bytes):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if store_without_losses(path, cache) is None:
                shutil.rmtree(path, ignore_errors=True)
                relabelled = find_same_images(scan.images_content, settings, cache)
                if relabelled is None:
                    check_space(path.parent, WHAT, need_bytes)
                _build(source, scan, settings, path, progress, labels, relabelled)
    return _described(open_store(path, cache), scan)


def check_writable(cache: Path) -> None:
    """Raises StorageError where the folder of stores neither exists nor can be made: before the scan, which takes long."""
    stores = cache / "stores"
    with cache_errors(stores, f"{WHAT}, of height x width x channels bytes each,"):
        stores.mkdir(parents=True, exist_ok=True)


def _images_of(scan: Scan, settings: Fit) -> int:
    return scan.images - (scan.duplicates if settings.duplicates == "drop" else 0)


def _described(store: Store, scan: Scan) -> Store:
    """The store with the facts of the current source: it may have been packed from another path with the same images."""
    lost = [pair for pair in store.facts["bad"] if pair[1].endswith(LOST)]
    packed = {"images", "labels", "labels_file"} & store.facts.keys()
    facts = json.loads(json.dumps(scan.facts())) | {key: store.facts[key] for key in packed}
    return replace(store, facts=facts | {"bad": facts["bad"] + lost})


def _build(
    source: Source,
    scan: Scan,
    settings: Fit,
    place: Path,
    progress: Callable[[int, int], None],
    file: LabelsFile | None,
    relabelled: Store | None,
) -> None:
    """Packs the store into its place. `relabelled` is one of the same images with other labels."""
    building = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        entries, left_out = _chosen(source, scan, settings, file)
        if file and file.asked_for:
            found = read_labels(file, [printable(entry.key) for entry in entries], left_out)
            check_used(file, found.facts)  # before the images are packed, which takes longer
        images = building / "images.npy"
        if relabelled and len(relabelled.images) == len(entries) and is_unchanged(source, scan.fingerprint):
            written = link_images(relabelled, images)
        else:
            written = write_images(source, entries, settings, images, progress)
        entries, lost = _verified(source, scan, settings, entries, written)
        classes = sorted({entry.label for entry in entries if entry.label is not None}, key=natural)
        codes = {name: code for code, name in enumerate(classes)}
        kept = (entry.label for i, entry in enumerate(entries) if i not in lost)
        labels = np.fromiter((-1 if label is None else codes.get(label, -1) for label in kept), np.int64)
        counts = np.bincount(labels[labels >= 0], minlength=len(classes)).tolist()
        facts = scan.facts() | {
            "bad": scan.bad + [(printable(entries[i].key), why) for i, why in lost.items()],
            "images": written.images,
            "labels": dict(zip(classes, counts, strict=True)),
        }
        tree = {
            "format": FORMAT, "content": scan.content, "images_content": scan.images_content, "fit": asdict(settings),
            "classes": classes, "facts": facts,
        }  # fmt: skip
        if file:
            keys = [printable(entry.key) for i, entry in enumerate(entries) if i not in lost]
            labels = _write_attributes(building / "attributes.npy", tree, file, keys, left_out, labels)
        np.save(building / "labels.npy", labels)
        write_synced(building / "store.json", json.dumps(tree, indent=1).encode())
        sync_folder(building)
        move(building, place)
        sync_folder(place.parent)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _chosen(source: Source, scan: Scan, settings: Fit, file: LabelsFile | None) -> tuple[Sequence[Entry], list[str]]:
    """The entries that are packed, and the keys of the copies that are dropped, which are known by their places."""
    skipped = {path for path, _ in scan.bad} | (file.keys if file else frozenset())
    dropped = set(scan.copies if settings.duplicates == "drop" else [])
    try:
        every = source.entries()
    except OSError:
        raise _changed(source) from None
    left_out = [printable(every[place].key) for place in sorted(dropped) if place < len(every)]
    return _usable(every, skipped, dropped), left_out


def _verified(
    source: Source, scan: Scan, settings: Fit, entries: Sequence[Entry], written: WrittenImages
) -> tuple[Sequence[Entry], dict[int, str]]:
    """The entries that were scanned, and those of them that are lost. Raises DataError where other images were written.

    A changed fingerprint alone proves nothing: a log may grow among the images, as that of a command that is run there.
    """
    drops = settings.duplicates == "drop" and scan.copies
    as_scanned = written.content == (scan.content_without_copies if drops else scan.images_content)
    if not is_unchanged(source, scan.fingerprint) and not (as_scanned and _holds_no_more(source, scan)):
        raise _changed(source)
    if as_scanned:
        return [entry for i, entry in enumerate(entries) if i not in written.lost], {}
    if written.images == 0:
        raise DataError(f"no image in {printable(source.description)} could be read a second time")
    return entries, written.lost


def _holds_no_more(source: Source, scan: Scan) -> bool:
    """Whether no image files have come since the scan, as where a copy is still running."""
    return sum(entry.claims_image for entry in source.entries()) <= scan.images + scan.broken


def _changed(source: Source) -> DataError:
    return DataError(
        f"{printable(source.description)} changed while it was being read: wait until it is complete, and start again"
    )


def _write_attributes(
    path: Path,
    tree: dict[str, Any],
    file: LabelsFile,
    keys: Sequence[str],
    left_out: Sequence[str],
    labels: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Writes the values that the labels file has for these images and notes its columns in `tree`; the images' classes.

    These are `labels`, or those of a file that has one column of classes and nothing else.
    """
    found = read_labels(file, keys, left_out)
    tree["facts"]["labels_file"] = found.facts
    if found.attributes is None:
        return labels
    np.save(path, found.attributes.values)
    tree["attributes"] = [column.model_dump(mode="json") for column in found.attributes.columns]
    if (only := found.only_class) is None:
        return labels
    counts = np.bincount(found.codes[found.codes >= 0], minlength=len(only.classes)).tolist()
    tree["classes"] = list(only.classes)
    tree["facts"]["labels"] = dict(zip(only.classes, counts, strict=True))
    return found.codes


def _usable(entries: Sequence[Entry], bad: set[str], dropped: set[int]) -> Sequence[Entry]:
    """The entries without those that are bad, and without some places; the same object where there are none."""
    if not bad and not dropped:
        return entries
    return [entry for i, entry in enumerate(entries) if i not in dropped and printable(entry.key) not in bad]
