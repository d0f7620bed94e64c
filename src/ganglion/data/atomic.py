"""Files that are there whole or not at all: written beside their place, synced, renamed."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganglion.errors import StorageError

__all__ = ["full_disk_said_once", "storage_errors", "sync_folder", "write_atomically", "write_synced"]

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DENIED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}
NO_SUCH_PLACE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}


@contextmanager
def storage_errors(place: Path) -> Iterator[None]:
    """Turns a full or forbidden disk into a StorageError that names `place`."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageError(f"the disk is full ({place}): make room, then run the same command again") from error
        if error.errno in DENIED | NO_SUCH_PLACE:
            raise StorageError(f"{place} cannot be written ({error.strerror}): choose another place") from error
        raise


@contextmanager
def full_disk_said_once() -> Iterator[None]:
    """While it lasts, a thread that a full disk ends (TensorBoard's writer) prints no traceback: the next write says it."""
    before = threading.excepthook

    def hook(fault: threading.ExceptHookArgs) -> None:
        if not (isinstance(fault.exc_value, OSError) and fault.exc_value.errno in FULL):
            before(fault)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces `path` by `content`; a reader sees the old or the new, also after a power cut. Raises StorageError."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        try:
            write_synced(Path(name), content)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_synced(path: Path, content: bytes) -> None:
    """Writes `content` and waits until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Waits until the disk has the folder's own entries (which files it holds)."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
