"""Atomic file operations: write to a temporary file, sync, rename. And the folder for what is kept between runs."""

from __future__ import annotations

import errno
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from ganglion.errors import DataError, StorageError

__all__ = [
    "cache_folder",
    "full_disk_said_once",
    "home_expanded",
    "intended_name",
    "move",
    "storage_errors",
    "sync_file",
    "sync_folder",
    "write_atomically",
    "write_synced",
]


FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DENIED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}
BAD_PATH = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP,
    errno.EINVAL,  # Windows: a name with ? or :
}  # fmt: skip
CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP}  # from file systems that cannot sync folders

PAUSES_SEC = (0.05, 0.1, 0.2, 0.4, 0.8) if os.name == "nt" else ()  # elsewhere an open file can be moved


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of scans, stores and pretrained weights: $GANGLION_CACHE, or the user's cache folder."""
    chosen = environment.get("GANGLION_CACHE")
    return Path(chosen) if chosen else user_cache_path("ganglion")


def home_expanded(path: Path) -> Path:
    """With ~ and ~USER replaced by that home folder. Raises DataError where there is none."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise DataError(f"{path}: there is no such home folder") from None


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Raises a StorageError that names `path` for a full or read-only disk or an invalid path."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageError(
                f"the disk is full ({path}): free some space, then run the same command again"
            ) from error
        if error.errno in DENIED | BAD_PATH:
            raise StorageError(f"{path} cannot be written ({error.strerror}): choose another path") from error
        raise


@contextmanager
def full_disk_said_once() -> Iterator[None]:
    """Context in which a thread that fails on a full disk (TensorBoard's writer) prints no traceback: the next write raises."""
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
    """Replaces `path` by `content`; readers see the old or the new content, also after a power cut. Raises StorageError."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            write_synced(temporary, content)
            move(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def intended_name(name: str) -> str:
    """What a file is that `write_atomically` was writing when the process was killed: `recipe.yaml` for
    `.recipe.yaml.0a1b2c3d`. Other names as they are.
    """
    found = re.fullmatch(r"\.(.+)\.[0-9a-f]{8}", name)
    return found[1] if found else name


def write_synced(path: Path, content: bytes) -> None:
    """Writes `content` and syncs it to disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        sync_file(file.fileno())


def move(
    source: Path, target: Path, pauses_sec: Sequence[float] = PAUSES_SEC, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Renames a file or a folder on one disk. A file at `target` is replaced; a folder must not exist there.

    Windows refuses while another program has either of them open. Virus scanners and indexers close files soon, so there it
    is retried after each pause.
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
    """The module `fcntl`; None on Windows."""
    try:
        import fcntl
    except ImportError:
        return None
    return fcntl


def sync_file(handle: int, find: Callable[[], Any | None] = posix_fcntl) -> None:
    """Syncs the open file `handle` to disk.

    On macOS fsync does not flush the drive's cache, which is lost in a power cut; F_FULLFSYNC does (fsync(2)). Network
    volumes do not support it.
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
    """Syncs the entries of a folder to disk, where the system supports it.

    Windows cannot open folders, and some network file systems cannot sync them: there the system decides when to write.
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
