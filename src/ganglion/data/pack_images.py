"""The images of a store: decoded, made to fit and written into one file, or linked from another store of the same images."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganglion.data.copies import content_part, payload_digest
from ganglion.data.decode import Unreadable, decode, quiet_pillow
from ganglion.data.fit import Fit, fit, least_decoded
from ganglion.data.sources import Entry, Source, processes_for
from ganglion.data.store import LOST, Store
from ganglion.data.workers import map_chunks
from ganglion.platform.files import sync_file

__all__ = ["PackedChunk", "WrittenImages", "link_images", "pack_chunk", "write_images"]


class WrittenImages(NamedTuple):
    images: int
    lost: dict[int, str]
    """The reasons of those that can no longer be read, by index."""
    content: str
    """Hash of the images, as a scan has it."""


def write_images(
    source: Source, entries: Sequence[Entry], settings: Fit, path: Path, progress: Callable[[int, int], None]
) -> WrittenImages:
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
    return WrittenImages(packed, lost, content.hexdigest())


def link_images(store: Store, path: Path) -> WrittenImages:
    """The images of another store, on disk once for both where its file system has links."""
    try:
        path.hardlink_to(store.path / "images.npy")
    except OSError:
        shutil.copyfile(store.path / "images.npy", path)
        with path.open("rb+") as file:
            sync_file(file.fileno())
    return WrittenImages(len(store.images), {}, store.images_content)


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
