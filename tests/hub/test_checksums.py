from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ganglion.hub.checksums import SUMS, checksums, parse_checksums, wrong_files

FILES = {"b.yaml": b"two", "a b.png": b"one"}


def written(folder: Path, files: dict[str, bytes]) -> dict[str, Path]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in files}


def test_what_is_written_is_read_back_and_fits_the_files(tmp_path: Path) -> None:
    sums = parse_checksums(checksums(FILES))
    assert list(sums) == ["a b.png", "b.yaml"]
    assert wrong_files(written(tmp_path, FILES), sums) == []


def test_another_content_and_a_file_that_is_not_listed_are_wrong(tmp_path: Path) -> None:
    sums = parse_checksums(checksums(FILES))
    assert wrong_files(written(tmp_path, {**FILES, "b.yaml": b"Two", "c": b""}), sums) == ["b.yaml", "c"]


@pytest.mark.parametrize("text", [b"abc  file\n", b"<html></html>", b"\xff\xfe", b"0" * 64 + b"\n"])
def test_another_format_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a hash and a name"):
        parse_checksums(text)


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs coreutils")
def test_sha256sum_reads_the_file_too(tmp_path: Path) -> None:
    written(tmp_path, FILES)
    (tmp_path / SUMS).write_bytes(checksums(FILES))
    subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=tmp_path, check=True, capture_output=True)
