"""Files that are there whole or not at all: written beside their place, synced, renamed."""

from __future__ import annotations

import errno
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganglion.errors import StorageError

__all__ = [
    "full_disk_said_once",
    "move",
    "storage_errors",
    "sync_file",
    "sync_folder",
    "write_atomically",
    "write_synced",
]


FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DENIED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}
NO_SUCH_PLACE = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP,
    errno.EINVAL,  # Windows: a name with ? or :
}  # fmt: skip
CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP}  # what file systems say of folders that they cannot sync

PAUSES_SEC = (0.05, 0.1, 0.2, 0.4, 0.8) if os.name == "nt" else ()  # elsewhere an open file can be moved


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
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            write_synced(beside, content)
            move(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_synced(path: Path, content: bytes) -> None:
    """Writes `content` and waits until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        sync_file(file.fileno())


def move(
    source: Path, target: Path, pauses_sec: Sequence[float] = PAUSES_SEC, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Renames a file or a folder within its disk. A file at `target` is replaced; a folder may not be there.

    Windows refuses while another program has either of them open. A virus scanner or an indexer lets go within moments,
    so there it is tried again after each pause.
    """
    for pause_sec in pauses_sec:
        try:
            source.replace(target)
        except PermissionError:
            sleep(pause_sec)
        else:
            return
    source.replace(target)


def posix_fcntl() -> Any | None:
    """The module of that name; Windows has none."""
    try:
        import fcntl
    except ImportError:
        return None
    return fcntl


def sync_file(handle: int, find: Callable[[], Any | None] = posix_fcntl) -> None:
    """Waits until the disk has the open file `handle`.

    On macOS fsync leaves what was written in the drive's own cache, which a power cut empties; F_FULLFSYNC does not
    (fsync(2) there). Network volumes refuse it.
    """
    module: Any = find()
    if hasattr(module, "F_FULLFSYNC"):
        try:
            module.fcntl(handle, module.F_FULLFSYNC)
        except OSError:
            os.fsync(handle)
        return
    os.fsync(handle)


def sync_folder(folder: Path, open_folder: Callable[[Path, int], int] = os.open) -> None:
    """Waits until the disk has the folder's own entries (which files it holds), where the system can do that.

    Windows opens no folder, and some network file systems sync none: there the system writes them when it likes.
    """
    try:
        handle = open_folder(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in CANNOT_SYNC:
            raise
    finally:
        os.close(handle)
