"""Packs a source: every image that could be scanned is decoded, made to fit and written into a store."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from ganglion.data.columns import natural
from ganglion.data.copies import content_part, payload_digest
from ganglion.data.decode import Unreadable, decode, quiet_pillow
from ganglion.data.file_names import printable
from ganglion.data.fit import Fit, fit, least_decoded
from ganglion.data.labels import check_used, read_labels
from ganglion.data.labels_file import LabelsFile
from ganglion.data.scan import Scan, is_unchanged
from ganglion.data.sources import Entry, Source, processes_for
from ganglion.data.store import FORMAT, LOST, Store, find_same_images, open_store, store_path, whole_store
from ganglion.data.workers import map_chunks
from ganglion.errors import DataError
from ganglion.platform.cache import cache_errors, check_space
from ganglion.platform.files import move, sync_file, sync_folder, write_synced

__all__ = ["PackedChunk", "check_writable", "pack", "pack_chunk"]

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
    if (known := whole_store(path, cache)) is not None:
        packed = _described(known, scan)
        check_used(labels, packed.facts.get("labels_file", {}))
        return packed
    need_bytes = _images_of(scan, settings) * math.prod(settings.size) * settings.channels
    with cache_errors(path.parent, WHAT, need_bytes):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if whole_store(path, cache) is None:
                shutil.rmtree(path, ignore_errors=True)
                relabelled = find_same_images(scan.images_content, settings, cache)
                if relabelled is None:
                    check_space(path.parent, WHAT, need_bytes)
                _build(source, scan, settings, path, progress, labels, relabelled)
    return _described(open_store(path, cache), scan)


def check_writable(cache: Path) -> None:
    """Raises StorageError where no store can be written nor be there: before images are read, which takes long."""
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
            written = _linked(relabelled, images)
        else:
            written = _write_images(source, entries, settings, images, progress)
        entries, lost = _verified(source, scan, entries, written, bool(left_out))
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
    """The entries that are packed, and the keys of the copies that are dropped."""
    skipped = {path for path, _ in scan.bad} | (file.keys if file else frozenset())
    dropped = set(scan.copies if settings.duplicates == "drop" else [])
    every = _entries(source, scan)
    if dropped and not is_unchanged(source, scan.fingerprint):  # they are known by their places
        raise _changed(source)
    return _usable(every, skipped, dropped), [printable(every[place].key) for place in sorted(dropped)]


def _entries(source: Source, scan: Scan) -> Sequence[Entry]:
    """All that the source has now. Raises DataError where images have come since the scan."""
    try:
        found = source.entries()
    except OSError:
        raise _changed(source) from None
    if sum(entry.claims_image for entry in found) > scan.images + scan.broken:
        raise _changed(source)
    return found


def _verified(
    source: Source, scan: Scan, entries: Sequence[Entry], written: _Written, some_dropped: bool
) -> tuple[Sequence[Entry], dict[int, str]]:
    """The entries that were scanned, and those of them that are lost. Raises DataError where other images were written.

    A changed fingerprint alone proves nothing: a log may grow among the images, as that of a command that is run there.
    """
    as_scanned = not some_dropped and written.content == scan.images_content
    if not is_unchanged(source, scan.fingerprint):
        _entries(source, scan)
        if not as_scanned:
            raise _changed(source)
    if written.images == 0:
        raise DataError(f"no image in {printable(source.description)} could be read a second time")
    if as_scanned and written.lost:  # files that came after the scan, and are no images
        return [entry for i, entry in enumerate(entries) if i not in written.lost], {}
    return entries, written.lost


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


class _Written(NamedTuple):
    images: int
    lost: dict[int, str]
    """The reasons of those that can no longer be read, by index."""
    content: str
    """Hash of the images, as a scan has it."""


def _write_images(
    source: Source, entries: Sequence[Entry], settings: Fit, path: Path, progress: Callable[[int, int], None]
) -> _Written:
    """Writes every image that can still be read."""
    lost: dict[int, str] = {}
    packed = done = 0
    content = hashlib.sha256()
    with path.open("wb+") as file:
        _write_header(file, (len(entries), *settings.size, settings.channels))
        for chunk in map_chunks(partial(pack_chunk, settings), source, entries, processes_for(source)):
            file.write(chunk.pixels.data)
            content.update(chunk.content)
            lost |= {done + i: reason for i, reason in chunk.lost.items()}
            packed += len(chunk.pixels)
            done += len(chunk.pixels) + len(chunk.lost)
            progress(done, len(entries))
        file.seek(0)
        _write_header(file, (packed, *settings.size, settings.channels))
        file.flush()
        sync_file(file.fileno())
    return _Written(packed, lost, content.hexdigest())


def _linked(store: Store, path: Path) -> _Written:
    """The images of another store, on disk once for both where its file system has links."""
    try:
        path.hardlink_to(store.path / "images.npy")
    except OSError:
        shutil.copyfile(store.path / "images.npy", path)
        with path.open("rb+") as file:
            sync_file(file.fileno())
    return _Written(len(store.images), {}, store.images_content)


def _write_header(file: Any, shape: tuple[int, ...]) -> None:
    """NumPy's header; its padded length does not change when the count becomes smaller."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


class PackedChunk(NamedTuple):
    pixels: NDArray[np.uint8]
    """(n, H, W, C) of all readable images."""
    lost: dict[int, str]
    """The reasons of the others, by index in the chunk."""
    content: bytes
    """What the readable ones add to the hash of all."""


def pack_chunk(settings: Fit, source: Source, entries: Sequence[Entry]) -> PackedChunk:
    """These images, made to fit."""
    height, width = settings.size
    pixels = np.empty((len(entries), height, width, settings.channels), np.uint8)
    lost: dict[int, str] = {}
    parts: list[bytes] = []
    with quiet_pillow():
        for i, entry in enumerate(entries):
            try:
                payload = source.read(entry)
                image, _ = decode(payload, least_decoded(settings), settings.white_level)
                pixels[len(parts)] = fit(image, settings)
                parts.append(content_part(payload_digest(payload), entry.label))
            except (Unreadable, OSError, ValueError) as error:
                lost[i] = f"{error} {LOST}"
    return PackedChunk(pixels[: len(parts)], lost, b"".join(parts))
