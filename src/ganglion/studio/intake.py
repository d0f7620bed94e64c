"""Files that a browser sends: a folder with its sub-folders, a zip, a log. They are written below the uploads and nowhere else.

A drop is a folder of its own, named by a token that the page makes; files come one by one, each with its path in the drop.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from ganglion.errors import DataError, StorageError
from ganglion.platform.files import move, storage_errors

__all__ = ["Drops", "safe_path"]


TOKEN = re.compile(r"[0-9a-f]{16}")
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')  # in names on Windows; / parts a path
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST_PART, DEEPEST = 120, 16  # characters, folders
LARGEST_BYTES = 2**35  # of a file


@dataclass(frozen=True)
class Dropped:
    """What has come so far."""

    path: Path
    """The one file or folder that was dropped; the folder of all where there were several."""
    files: int


class Drops:
    """Drops below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "drops"

    def folder(self, token: str) -> Path:
        """Raises DataError where the token is none."""
        if not TOKEN.fullmatch(token):
            raise DataError("this is not the name of an upload: load the page again")
        return self._folder / token

    async def take(self, token: str, name: str, content: AsyncIterator[bytes], most: int = LARGEST_BYTES) -> Path:
        """Writes a file of a drop. Raises DataError, StorageError; then nothing of it is left."""
        target = self.folder(token) / safe_path(name)
        partial = target.with_name(f".{secrets.token_hex(8)}.part")
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        try:
            with storage_errors(target), partial.open("xb") as file:
                async for chunk in content:
                    size += len(chunk)
                    if size > most:
                        raise DataError(
                            f"{name} is larger than {most >> 20:,} MiB: name its path instead of dropping it"
                        )
                    file.write(chunk)
            with storage_errors(target):
                move(partial, target)
        except StorageError as error:
            raise StorageError(f"{name} was not taken: {error}") from None
        finally:
            partial.unlink(missing_ok=True)
        return target

    def result(self, token: str) -> Dropped:
        """Raises DataError where nothing has come."""
        folder = self.folder(token)
        files = sum(path.is_file() for path in folder.rglob("*")) if folder.is_dir() else 0
        if not files:
            raise DataError("nothing was uploaded: the folder is empty, or its files are hidden ones")
        path = folder
        while len(inside := list(path.iterdir())) == 1:  # the folder that was dropped, or the one file
            path = inside[0]
            if path.is_file() or path.parent == folder:
                break
        return Dropped(path, files)


def safe_path(name: str) -> Path:
    """The path of a file in a drop as a path that stays there and that every system can write. Raises DataError."""
    parts = [part.strip() for part in name.split("/") if part.strip() not in ("", ".")]
    if not parts or ".." in parts or len(parts) > DEEPEST:
        raise DataError(f"{name[:80]!r} is not a path of a file in a folder")
    return Path(*map(_safe_part, parts))


def _safe_part(part: str) -> str:
    kept = FORBIDDEN.sub("_", part).rstrip(". ") or "_"
    if len(kept) > LONGEST_PART:
        stem, dot, ending = kept.rpartition(".")
        kept = f"{stem[: LONGEST_PART - 12]}{dot}{ending[:10]}" if dot else kept[:LONGEST_PART]
    while len(kept.encode("utf-8", "surrogatepass")) > 240:
        kept = kept[:-8]
    return f"_{kept}" if RESERVED.fullmatch(kept) else kept
