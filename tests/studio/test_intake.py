from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ganglion.errors import DataError, StorageError
from ganglion.studio.intake import Drops, safe_path

TOKEN = "0123456789abcdef"


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def take(drops: Drops, name: str, *parts: bytes, **limits: Any) -> Path:
    return asyncio.run(drops.take(TOKEN, name, chunks(*parts), **limits))


def test_a_folder_keeps_its_sub_folders(tmp_path: Path) -> None:
    drops = Drops(tmp_path)
    for name in ("photos/cat/1.png", "photos/dog/1.png"):
        take(drops, name, b"a", b"b")
    found = drops.result(TOKEN)
    assert found.path == tmp_path / "drops" / TOKEN / "photos"
    assert found.files == 2
    assert (found.path / "cat" / "1.png").read_bytes() == b"ab"


def test_one_file_is_that_file_and_several_are_their_folder(tmp_path: Path) -> None:
    drops = Drops(tmp_path)
    take(drops, "photos.zip", b"z")
    assert drops.result(TOKEN).path.name == "photos.zip"
    take(drops, "more.zip", b"z")
    assert drops.result(TOKEN).path.name == TOKEN


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "..", "", "/", "./", "a/" * 40 + "x", "a/..", "../../etc/passwd"]
)
def test_no_name_leads_out_of_a_drop(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError):
        take(Drops(tmp_path), name, b"x")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


ODD = ["/etc/passwd", "C:\\x", "a\\..\\..\\b", "con", "NUL.txt", "a\0b", "x" * 500 + ".png", "日本語/ä.png", "end. ",
       "a:b|c?.png",
       "é" * 200 + ".png", "<img src=x onerror=alert(1)>.png"]  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_becomes_one_that_every_system_can_write(tmp_path: Path, name: str) -> None:
    path = safe_path(name)
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert not set("\\:<>|?*\0") & set(str(path))
    written = take(Drops(tmp_path), name, b"x")
    assert written.resolve().is_relative_to(tmp_path / "drops" / TOKEN)


@pytest.mark.parametrize("token", ["", "..", "../x", "0123", "0123456789abcdeg", "0123456789abcdef/.."])
def test_a_token_is_hexadecimal_and_nothing_else(tmp_path: Path, token: str) -> None:
    with pytest.raises(DataError):
        Drops(tmp_path).folder(token)


def test_a_file_that_is_too_large_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="larger than"):
        take(Drops(tmp_path), "a.zip", b"x" * 600, b"x" * 600, most=1000)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("ganglion.studio.intake.move", full)
    with pytest.raises(StorageError, match=r"a\.png was not taken: the disk is full"):
        take(Drops(tmp_path), "a.png", b"x")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_browser_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(Drops(tmp_path).take(TOKEN, "a.png", broken()))
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_an_empty_drop_is_said_to_be_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing was uploaded"):
        Drops(tmp_path).result(TOKEN)
