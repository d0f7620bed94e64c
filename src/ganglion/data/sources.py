"""Sources of images on disk: a folder or a zip of files. A source lists entries and reads one at a time; it decodes nothing.

A source is small and can be pickled: it is sent to worker processes together with their entries."""

from __future__ import annotations

import hashlib
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray

from ganglion.data.file_names import is_litter, is_own_folder, looks_like_image, outside_own_folders
from ganglion.data.folder_classes import natural_label
from ganglion.errors import DataError

__all__ = [
    "Entry",
    "FolderSource",
    "InThisProcess",
    "NumberedEntries",
    "Payload",
    "Source",
    "ZipSource",
    "processes_for",
    "walk",
]


Payload = bytes | NDArray[np.uint8]
"""An encoded file, or raw pixels (H, W) or (H, W, C)."""

LARGEST_FILE_BYTES = 512 * 1024**2
UTF8_NAME = 0x800  # flag of a zip's member (APPNOTE 4.4.4, bit 11)


@dataclass(frozen=True, slots=True)
class Entry:
    """One candidate image: its name, its location in the source, its class, and whether its suffix is that of an image."""

    key: str
    locator: str | int
    label: str | None = None
    claims_image: bool = True


class NumberedEntries(Sequence[Entry]):
    """The entries of an array, `image 0`, `image 1`, ..., made when asked for: a million of them take no memory.

    labels: the class of each image; None where there are none.
    """

    def __init__(self, count: int, labels: Sequence[str | None] | None = None, noun: str = "image") -> None:
        self._count, self._labels, self._noun = count, labels, noun

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> list[Entry]: ...
    def __getitem__(self, place: int | slice) -> Entry | list[Entry]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(self._count))]
        number = range(self._count)[place]
        return Entry(f"{self._noun} {number}", number, self._labels[number] if self._labels is not None else None)


class Source(Protocol):
    @property
    def description(self) -> str:
        """A few words for messages: `folder photos/`, `zip cifar.zip`."""

    def fingerprint(self) -> str | None:
        """Changes whenever the contents may have changed; None where that requires reading all of them."""

    def entries(self) -> Sequence[Entry]:
        """Every candidate, in an order that depends on the contents only."""

    def read(self, entry: Entry) -> Payload:
        """The image as stored. Raises OSError or ValueError where it cannot be read."""


class InThisProcess:
    """A source with images in memory: it is read in this process, since each worker would need a copy of all."""


def processes_for(source: Source) -> int | None:
    """Number of processes that read a source; None: one per core."""
    return 1 if isinstance(source, InThisProcess) else None


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
    """Relative path and status of every file below `root`. Links are followed last.

    A folder already read under another name (a loop, a second link) is skipped, as is one below `root` that Ganglion has
    written; a link without an accessible target has no status.
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
            if prefix and is_own_folder({child.name for child in children}):
                continue
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
    """The same for all names of a folder. On network and FAT drives without inode numbers it is the resolved path."""
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)


@dataclass(frozen=True)
class ZipSource:
    path: Path

    @property
    def description(self) -> str:
        return f"zip {self.path}"

    def fingerprint(self) -> str:
        status = self.path.stat()
        return f"zip {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {self.path.resolve()}"

    def entries(self) -> list[Entry]:
        members = _open(self.path).infolist()
        named = [(i, _name_of(member)) for i, member in enumerate(members)]
        kept = set(outside_own_folders([name for _, name in named if not name.endswith("/") and not is_litter(name)]))
        files = [(i, name) for i, name in named if name in kept]
        files.sort(key=lambda file: (file[1], file[0]))
        labels = natural_label([name for _, name in files])
        return [Entry(name, i, label, looks_like_image(name)) for (i, name), label in zip(files, labels, strict=True)]

    def read(self, entry: Entry) -> bytes:
        archive = _open(self.path)
        member = archive.infolist()[int(entry.locator)]
        if member.file_size > LARGEST_FILE_BYTES:
            raise ValueError(f"the file is larger than {LARGEST_FILE_BYTES >> 20} MiB")
        if member.flag_bits & 1:
            raise ValueError("encrypted in the zip")
        try:
            return archive.read(member)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError) as error:
            raise ValueError(f"damaged in the zip: {error}") from None


def _name_of(member: zipfile.ZipInfo) -> str:
    """With slashes, which some Windows programs do not write, and as UTF-8, which macOS writes without saying so."""
    name = member.filename
    if not member.flag_bits & UTF8_NAME:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _open(path: Path) -> zipfile.ZipFile:
    status = path.stat()
    return _open_version(path, (status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=4)  # one open handle for each zip and process; the directory of a large zip takes long to read
def _open_version(path: Path, version: tuple[int, ...]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise DataError(f"{path} is not a zip file, or it is truncated: copy or download it again") from None
    except (NotImplementedError, ValueError) as error:
        raise DataError(f"{path} is a zip that cannot be read ({error}): create it again") from None
