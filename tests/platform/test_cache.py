from __future__ import annotations

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from ganglion.errors import StorageError
from ganglion.platform.cache import cache_errors, check_space

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR])
def test_what_cannot_be_kept_names_the_variable_that_moves_the_cache_and_the_space(number: int) -> None:
    says = rf"images cannot be written to .* there \({os.strerror(number)}\): set .*GANGLION_CACHE .* with 3.0 GiB free"
    with pytest.raises(StorageError, match=says), cache_errors(Path("there"), "images", 3 * 2**30):
        raise OSError(number, os.strerror(number))


def test_without_a_known_size_no_space_is_named() -> None:
    with pytest.raises(StorageError, match=r"GANGLION_CACHE to a folder that can be written$"):  # noqa: SIM117
        with cache_errors(Path("there"), "images"):
            raise PermissionError(errno.EACCES, "Permission denied")


def test_another_error_is_let_through() -> None:
    with pytest.raises(StorageError, match="^as it is$"), cache_errors(Path("there"), "images"):
        raise StorageError("as it is")
    with pytest.raises(BlockingIOError), cache_errors(Path("there"), "images"):
        raise BlockingIOError(errno.EAGAIN, "later")


@pytest.mark.parametrize(("need", "shown"), [(2**20, "1.0 MiB"), (2 * 2**30, "2.0 GiB"), (3000 * 2**30, "3,000 GiB")])
def test_too_little_space_is_told_in_numbers_before_anything_is_written(
    need: int, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(need * 2, need, 2**20))
    with pytest.raises(StorageError, match=rf"images need {shown}, .* has 1.0 MiB free: .*GANGLION_CACHE"):
        check_space(tmp_path, "images", need + 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(need * 2, need, need))
    check_space(tmp_path, "images", need)


def test_a_drive_that_does_not_say_its_size_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_space(tmp_path, "images", 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(0, 0, 0))
    check_space(tmp_path, "images", 2**40)
