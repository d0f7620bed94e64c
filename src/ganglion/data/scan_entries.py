"""One file of a source, read once: its facts, its digests and how it looks, or why it cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ganglion.data.copies import digest_of, payload_digest, pixels_shown
from ganglion.data.decode import ImageFacts, TooLargeForMemory, Unreadable, decode, is_deep, quiet_pillow
from ganglion.data.look import Look, look_at
from ganglion.data.sources import Entry, Source

__all__ = ["ScannedEntry", "read_chunk"]

LEAST_DECODED = 32  # pixels of a side of a JPEG that is decoded smaller


class ScannedEntry(NamedTuple):
    """One entry, read: its facts and digest, or the reason why it is skipped."""

    entry: Entry
    facts: ImageFacts | None
    digest: bytes
    """Of its bytes."""
    pixels: bytes
    """Digest of its pixels; of a gray image of 16 or 32 bits, of its bytes."""
    look: Look | None
    """Of some entries."""
    reason: str
    transient: bool = False
    """Whether it may be readable the next time."""


def read_chunk(share: float, source: Source, entries: Sequence[Entry]) -> list[ScannedEntry]:
    """All entries, read; a share of them, the first image and then evenly, is looked at closely."""
    found, due = [], 1.0
    with quiet_pillow():
        for entry in entries:
            found.append(_read_one(source, entry, due >= 1))
            due += share - (found[-1].look is not None)
    return found


def _read_one(source: Source, entry: Entry, looked_at: bool) -> ScannedEntry:
    try:
        payload = source.read(entry)
        image, facts = decode(payload, LEAST_DECODED)  # all of a file is read, so that truncation is detected
    except Unreadable as error:
        return _skipped(entry, str(error), isinstance(error, TooLargeForMemory))
    except OSError as error:
        lasting = isinstance(error, FileNotFoundError | PermissionError)  # mending either changes the fingerprint
        return _skipped(entry, f"cannot be read: {error.strerror or error}", not lasting)
    except ValueError as error:
        return _skipped(entry, str(error))
    look = look_at(image, facts.height, facts.width) if looked_at else None
    digest = payload_digest(payload)
    as_they_are = is_deep(facts.mode) or (isinstance(payload, np.ndarray) and not facts.alpha)
    pixels = digest if as_they_are else digest_of(pixels_shown(image, facts))
    return ScannedEntry(entry, facts, digest, pixels, look, "")


def _skipped(entry: Entry, reason: str, transient: bool = False) -> ScannedEntry:
    return ScannedEntry(entry, None, b"", b"", None, reason, transient)
