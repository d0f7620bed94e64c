"""A folder of images, any nesting."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ganglion.data.source import LARGEST_FILE_BYTES, Entry, is_litter, looks_like_image, natural_label

__all__ = ["FolderSource", "walk"]


@dataclass(frozen=True)
class FolderSource:
    root: Path

    @property
    def description(self) -> str:
        return f"folder {self.root}"

    def fingerprint(self) -> str:
        """Hash of every file's name, size and times: a changed, added or removed file changes it."""
        digest = hashlib.sha256(b"folder")
        for name, status in sorted(walk(self.root)):
            digest.update(os.fsencode(name) + b"\0")
            digest.update(repr((status.st_size, status.st_mtime_ns, status.st_ctime_ns) if status else None).encode())
        return digest.hexdigest()

    def entries(self) -> list[Entry]:
        names = sorted(name for name, _ in walk(self.root))
        return [
            Entry(name, name, label, looks_like_image(name))
            for name, label in zip(names, natural_label(names), strict=True)
        ]

    def read(self, entry: Entry) -> bytes:
        path = self.root / str(entry.locator)
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise ValueError(f"the file is larger than {LARGEST_FILE_BYTES >> 20} MiB")
        return path.read_bytes()


def walk(
    root: Path, status_of: Callable[[Path], os.stat_result] = Path.stat
) -> Iterator[tuple[str, os.stat_result | None]]:
    """Relative path and status of every file below `root`. Links are followed, after all else.

    A folder that has been read under another name (a loop, a second link) is not read again; a name whose target cannot
    be reached has no status.
    """
    folders, links, known = [""], list[str](), set[tuple[int, int] | str]()
    while folders or links:
        prefix = folders.pop() if folders else links.pop(0)
        here = root / prefix
        try:
            identity = _identity(here, status_of(here))
            if identity in known:
                continue
            known.add(identity)
            children = sorted(os.scandir(here), key=lambda child: child.name)
        except OSError:  # a folder that may not be read: it is listed as one entry that cannot be read
            yield prefix, None
            continue
        for child in children:
            name = f"{prefix}/{child.name}" if prefix else child.name
            if is_litter(name):
                continue
            try:
                if child.is_dir():
                    (links if child.is_symlink() else folders).append(name)
                elif child.is_file() or (child.is_symlink() and not Path(child).exists()):  # pipes, devices: no
                    yield name, child.stat()
            except OSError:
                yield name, None


def _identity(folder: Path, status: os.stat_result) -> tuple[int, int] | str:
    """The same for all names of a folder. Some network and FAT drives number nothing: there it is the resolved path."""
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)
