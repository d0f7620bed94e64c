from __future__ import annotations

import errno
import sys

import pytest

from ganglion.errors import HubError, StorageError
from ganglion.hub.client import address, hub_errors, library, page


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(HubError, match=r"need the extra 'hub': pip install 'ganglion\[hub\]'"):
        library()


def test_a_full_disk_is_named_with_the_cache() -> None:
    with (
        pytest.raises(StorageError, match="the Hub's cache cannot be written .*HF_HUB_CACHE"),
        hub_errors("be loaded", "a/b"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


def _failing() -> None:
    try:
        raise KeyError("lfs")
    except KeyError as cause:
        raise RuntimeError("Error while uploading 'x' to the Hub.") from cause


def test_what_is_behind_an_error_of_the_library_is_told() -> None:
    with pytest.raises(HubError, match=r"^a/b cannot be written: KeyError: 'lfs'$"), hub_errors("be written", "a/b"):
        _failing()


def test_pages_are_those_of_the_address_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert address() == "https://huggingface.co"
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:8000/")
    assert (page("a/b"), page("a/b", "space")) == ("http://127.0.0.1:8000/a/b", "http://127.0.0.1:8000/spaces/a/b")
