"""Images of a source that equal an earlier one pixel by pixel, found by digests of sixteen bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganglion.data.decode import ImageFacts, Picture, Unreadable, decode, quiet_pillow
from ganglion.data.sources import Entry, Payload, Source

__all__ = ["DIGEST_BYTES", "content_part", "copies_among", "digest_of", "payload_digest", "pixels_shown"]

DIGEST_BYTES = 16


def digest_of(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=DIGEST_BYTES).digest()


def payload_digest(payload: Payload) -> bytes:
    """Of a file's bytes, or of an array's shape and pixels."""
    return digest_of(payload if isinstance(payload, bytes) else repr(payload.shape).encode() + payload.tobytes())


def content_part(digest: bytes, label: str | None) -> bytes:
    """What one usable image adds to the hash of all: its payload and its class."""
    return digest + repr(label).encode()


def pixels_shown(image: Picture, facts: ImageFacts) -> bytes:
    """Size and pixels, equal for images that show the same, whatever their mode and the colours under transparent pixels."""
    if isinstance(image, Image.Image):
        if facts.alpha:
            image = image.convert("RGBA").convert("RGBa")
        elif image.mode != "L":
            image = image.convert("L" if facts.gray and not facts.tinted else "RGB")
        return f"{facts.height} {facts.width} {image.mode}".encode() + image.tobytes()
    return repr(image.shape).encode() + image.tobytes()


def copies_among(
    source: Source, entries: Sequence[Entry], files: bytearray, pixels: bytearray, bad: Sequence[int]
) -> list[tuple[int, int]]:
    """Places of each copy and of the first image that it equals, by ascending place.

    `files` and `pixels` are the digests of all entries, of their bytes and of what `pixels_shown` gives; `bad` are places that
    do not count. Large JPEGs are decoded smaller when they are scanned: two that differ as files are compared once more, whole.
    """
    pairs: list[list[int]] = _equal_digests(pixels, bad).tolist()
    return [
        (copy, first)
        for copy, first in pairs
        if _at(files, copy) == _at(files, first) or _same(source, entries[copy], entries[first])
    ]


def _at(digests: bytearray, place: int) -> bytes:
    return bytes(digests[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES])


def _same(source: Source, one: Entry, other: Entry) -> bool:
    """Of two images whose scanned pixels are equal, whether all pixels are; not where one of them can no longer be read."""
    try:
        payloads = source.read(one), source.read(other)
        return not any(map(_is_jpeg, payloads)) or _whole(payloads[0]) == _whole(payloads[1])
    except (Unreadable, OSError, ValueError):
        return False


def _is_jpeg(payload: Payload) -> bool:
    return isinstance(payload, bytes) and payload[:2] == b"\xff\xd8"


def _whole(payload: Payload) -> bytes:
    with quiet_pillow():
        return pixels_shown(*decode(payload))


def _equal_digests(digests: bytearray, bad: Sequence[int]) -> NDArray[np.int64]:
    """Pairs (M, 2) of an entry's place and that of the first with the same digest, by ascending place; none for bad ones."""
    words = np.array(digests, np.uint8).view(np.uint64).reshape(-1, 2)
    usable = np.delete(np.arange(len(words)), bad)
    order = usable[np.lexsort(words[usable].T)]  # equal digests side by side, in the order of their places
    same = (words[order[1:]] == words[order[:-1]]).all(1)
    starts = np.flatnonzero(np.concatenate([[True], ~same]))  # of runs of equal digests
    originals = np.repeat(order[starts], np.diff(np.append(starts, len(order)))) if len(order) else order
    pairs: NDArray[np.int64] = np.stack([order, originals], 1)[1:][same]
    return pairs[np.argsort(pairs[:, 0])]
