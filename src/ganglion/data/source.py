"""What a source of images is. A source lists entries and reads one at a time; it decodes nothing and decides nothing.

A source is small and can be pickled: workers get it along with their share of the entries. One that holds the images
themselves says so, and no worker gets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Entry", "InThisProcess", "Payload", "Source", "looks_like_image", "natural_label", "processes_for"]

Payload = bytes | NDArray[np.uint8]
"""An encoded file, or pixels (H, W) or (H, W, C) that were never encoded."""

LARGEST_FILE_BYTES = 512 * 1024**2

IMAGE_SUFFIXES = frozenset(
    [
        ".png",
        ".apng",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".webp",
        ".bmp",
        ".dib",
        ".gif",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".tga",
        ".jp2",
        ".avif",
        ".ico",
    ]
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One candidate image: what a person calls it, where the source finds it, its class, and whether it claims to be one."""

    key: str
    locator: str | int
    label: str | None = None
    claims_image: bool = True


class Source(Protocol):
    @property
    def description(self) -> str:
        """A few words for messages: `folder photos/`, `zip cifar.zip`."""

    def fingerprint(self) -> str | None:
        """Changes whenever the contents may have changed; None where that is not known before all of them are read."""

    def entries(self) -> Sequence[Entry]:
        """Every candidate, in an order that depends on the contents alone."""

    def read(self, entry: Entry) -> Payload:
        """The image as stored. Raises OSError or ValueError where it cannot be read."""


class InThisProcess:
    """A source whose images lie in this process's memory: they are read here, since each worker would get a copy of all."""


def processes_for(source: Source) -> int | None:
    """In how many processes a source is read; None: as many as there are cores."""
    return 1 if isinstance(source, InThisProcess) else None


def looks_like_image(name: str) -> bool:
    """Whether the file's ending promises an image; another file is listed, but does not count as a broken image."""
    return "." in name and f".{name.rsplit('.', 1)[1].lower()}" in IMAGE_SUFFIXES


def is_litter(name: str) -> bool:
    """Files that operating systems leave about and nobody means."""
    parts = name.split("/")
    return parts[-1].startswith(".") or parts[-1] in {"Thumbs.db", "desktop.ini"} or "__MACOSX" in parts


def natural_label(paths: Sequence[str]) -> list[str | None]:
    """The class of each path: its first folder below what all images share.

    There are classes only where every image lies in a folder and there are two folders or more. Files that do not
    look like images have no say.
    """
    folders = [tuple(path.split("/")[:-1]) for path in paths]
    voting = [folder for path, folder in zip(paths, folders, strict=True) if looks_like_image(path)] or folders
    shared = _shared_prefix(voting)
    if not voting or any(len(folder) == shared for folder in voting):
        return [None] * len(paths)
    return [folder[shared] if len(folder) > shared else None for folder in folders]


def _shared_prefix(folders: Sequence[tuple[str, ...]]) -> int:
    if not folders:
        return 0
    first, last = min(folders), max(folders)
    return next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
