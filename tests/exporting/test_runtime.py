"""onnxruntime-web's files come from where they are, once, and only with the right hash."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ganglion.errors import ExportError
from ganglion.exporting import runtime
from ganglion.exporting.runtime import FILES, archive_url, fetched, runtime_files

CONTENT = {name: f"the content of {name}".encode() for name in FILES}


def archive(content: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name, data in content.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A small package in place of the published one."""
    content = archive(CONTENT)
    monkeypatch.setattr(runtime, "INTEGRITY", base64.b64encode(hashlib.sha512(content).digest()).decode())
    for name, data in CONTENT.items():
        monkeypatch.setitem(FILES, name, hashlib.sha256(data).hexdigest())
    return content


def no_network(url: str) -> bytes:
    raise AssertionError(f"{url} was asked for")


def test_files_are_downloaded_once_and_then_come_from_the_cache(package: bytes, tmp_path: Path) -> None:
    asked = []
    assert runtime_files(cache=tmp_path, fetch=lambda url: (asked.append(url), package)[1]) == CONTENT
    assert asked == [archive_url({})]
    assert runtime_files(cache=tmp_path, fetch=no_network) == CONTENT


def test_a_damaged_file_in_the_cache_is_downloaded_again(package: bytes, tmp_path: Path) -> None:
    runtime_files(cache=tmp_path, fetch=lambda url: package)
    for file in tmp_path.rglob("*.wasm"):
        file.write_bytes(b"damaged")
    assert runtime_files(cache=tmp_path, fetch=lambda url: package) == CONTENT


def test_a_download_with_another_hash_is_discarded(package: bytes, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="does not have the hash"):
        runtime_files(cache=tmp_path, fetch=lambda url: package + b"\0")
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("place", ["", "dist", "package/dist"])
def test_a_folder_with_the_files_will_do(package: bytes, tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    for name, data in CONTENT.items():
        (tmp_path / place / name).write_bytes(data)
    assert runtime_files(tmp_path, fetch=no_network) == CONTENT


def test_the_package_as_a_file_will_do(package: bytes, tmp_path: Path) -> None:
    (tmp_path / "it.tgz").write_bytes(package)
    assert runtime_files(tmp_path / "it.tgz", fetch=no_network) == CONTENT


def test_what_is_not_the_package_is_named_with_what_to_do(package: bytes, tmp_path: Path) -> None:
    (tmp_path / "other.tgz").write_bytes(b"no archive")
    (tmp_path / "empty").mkdir()
    (tmp_path / "older").mkdir()
    for name in FILES:
        (tmp_path / "older" / name).write_bytes(b"of another version")
    wrong = {
        "other.tgz": "is not the package",
        "empty": "does not hold",
        "older": "hash differs",
        "none": "does not hold",
    }
    for name, words in wrong.items():
        with pytest.raises(ExportError, match=rf"{words}.*npm pack onnxruntime-web@"):
            runtime_files(tmp_path / name, fetch=no_network)


def test_an_archive_without_one_of_the_files_is_refused(package: bytes, tmp_path: Path) -> None:
    (tmp_path / "part.tgz").write_bytes(archive(dict(list(CONTENT.items())[:1])))
    with pytest.raises(ExportError, match="is not the package"):
        runtime_files(tmp_path / "part.tgz")


def test_no_network_says_how_to_do_without() -> None:
    with pytest.raises(ExportError, match=r"cannot be downloaded .*--runtime FILE\.tgz"):
        fetched("http://127.0.0.1:1/x.tgz")


def test_npms_own_variable_names_another_registry() -> None:
    assert archive_url({"npm_config_registry": "https://npm.example/x/"}).startswith(
        "https://npm.example/x/onnxruntime-web/-/"
    )
