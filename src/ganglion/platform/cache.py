"""Writing to the cache folder, which may be full or not writable: a home in a container, a node of a cluster."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganglion.errors import StorageError
from ganglion.platform.files import storage_errors

__all__ = ["cache_errors", "check_space"]

MOVE = "set the environment variable GANGLION_CACHE to a folder"


@contextmanager
def cache_errors(folder: Path, what: str, need_bytes: int | None = None) -> Iterator[None]:
    """Turns write errors in `folder`, in the cache, into a StorageError that names GANGLION_CACHE and the space needed."""
    try:
        with storage_errors(folder):
            yield
    except StorageError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        space = "" if need_bytes is None else f", with {_gib(need_bytes)} free"
        raise StorageError(
            f"{what} cannot be written to the cache folder {folder} ({error.__cause__.strerror}): {MOVE} that can be "
            f"written{space}"
        ) from error


def check_space(folder: Path, what: str, need_bytes: int) -> None:
    """Raises StorageError where the disk of `folder`, which is there, has less space than `what` needs."""
    found = shutil.disk_usage(folder)
    if found.total and found.free < need_bytes:  # some network drives say 0 of 0
        raise StorageError(
            f"{what} need {_gib(need_bytes)}, and the disk of the cache folder {folder} has {_gib(found.free)} free: free some "
            f"space, or {MOVE} on another disk"
        )


def _gib(count: int) -> str:
    gib = count / 2**30
    return f"{gib:,.0f} GiB" if gib >= 9.95 else f"{gib:.1f} GiB" if gib >= 0.095 else f"{count / 2**20:,.1f} MiB"
