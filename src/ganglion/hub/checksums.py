"""SHA256SUMS: the hashes of a repository's files, in the format that `sha256sum --check` reads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["SUMS", "checksums", "parse_checksums", "wrong_files"]

SUMS = "SHA256SUMS"
"""The file's name."""


def checksums(files: Mapping[str, bytes]) -> bytes:
    """The text of the file: a line for each, sorted by name."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def parse_checksums(content: bytes) -> dict[str, str]:
    """Hashes by the name of the file. Raises ValueError for a text of another format."""
    found = {}
    for line in content.decode("ascii", errors="replace").splitlines():
        if not (match := re.fullmatch(r"([0-9a-f]{64}) [ *](\S.*)", line)):
            raise ValueError(f"{SUMS} has a line that is not a hash and a name: {line[:80]!r}")
        found[match[2]] = match[1]
    return found


def wrong_files(files: Mapping[str, Path], sums: Mapping[str, str]) -> list[str]:
    """Names of the files whose hash is not the one in `sums`, or is not there."""
    return [name for name, path in files.items() if _hash_of(path) != sums.get(name)]


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
