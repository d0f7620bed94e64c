from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganglion.errors import DataError
from ganglion.metrics.torchscript import (
    INCEPTION_FILE,
    inception_at_hand,
    inception_extractor,
    torchscript_extractor,
)

CPU = torch.device("cpu")


class InceptionLike(nn.Module):
    """Has the two ways in which the file of the StyleGAN line is called."""

    def forward(self, images: Tensor, return_features: bool = False, no_output_bias: bool = False) -> Tensor:
        assert images.dtype == torch.uint8
        assert images.shape[1] == 3
        means = images.float().mean((2, 3))
        if return_features:
            return means
        return torch.softmax(means + (0.0 if no_output_bias else 100.0), 1)


class Plain(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images[:, :, ::2, ::2]


class Wrong(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.sum()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


def scripted(network: nn.Module, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(network).save(str(path))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server on this machine, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    with HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", folder
        http.shutdown()
        thread.join()


def test_the_inception_is_fetched_once_checked_and_kept(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    file = scripted(InceptionLike(), folder / INCEPTION_FILE)
    url, key = f"{address}/{INCEPTION_FILE}", sha256(file)
    first = inception_extractor(tmp_path / "cache", CPU, url, key)
    file.unlink()
    again = inception_extractor(tmp_path / "cache", CPU, url, key)
    assert first.hash == again.hash == key
    assert inception_at_hand(tmp_path / "cache", {}) == tmp_path / "cache" / "extractors" / INCEPTION_FILE
    images = torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    seen = first.look(images)
    assert seen.features[0].tolist() == [0, 128, 255]
    assert seen.probabilities is not None
    assert seen.probabilities.shape == (2, 3)
    assert first.look(torch.zeros(2, 1, 4, 4)).features[0].tolist() == [128, 128, 128]


def test_what_is_not_the_file_that_was_promised_is_not_kept(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    (folder / INCEPTION_FILE).write_bytes(b"something else")
    with pytest.raises(DataError, match="it was not kept; offline there are --features learned"):
        inception_extractor(tmp_path / "cache", CPU, f"{address}/{INCEPTION_FILE}", "00" * 32)
    assert inception_at_hand(tmp_path / "cache", {}) is None


def test_without_a_network_it_names_the_file_its_place_and_the_offline_choices(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        inception_extractor(tmp_path, CPU, "http://127.0.0.1:9/x")
    for part in (INCEPTION_FILE, str(tmp_path / "extractors"), "GANGLION_INCEPTION=FILE", "learned, random, pixels"):
        assert part in str(raised.value)


def test_a_file_can_be_named_by_the_environment(tmp_path: Path) -> None:
    file = scripted(InceptionLike(), tmp_path / "mine.pt")
    assert inception_at_hand(tmp_path, {"GANGLION_INCEPTION": str(file)}) == file
    assert inception_at_hand(tmp_path, {"GANGLION_INCEPTION": str(tmp_path / "none.pt")}) is None


def test_another_file_under_its_name_is_refused_and_can_be_used_by_its_own(tmp_path: Path) -> None:
    scripted(Plain(), tmp_path / "extractors" / INCEPTION_FILE)
    with pytest.raises(DataError, match=r"is not inception.*--features torchscript:"):
        inception_extractor(tmp_path, CPU)


def test_another_file_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening runs code."""
    opened: list[object] = []
    monkeypatch.setattr(torch.jit, "load", lambda file, **_: opened.append(file))
    file = scripted(Plain(), tmp_path / "extractors" / INCEPTION_FILE)
    with pytest.raises(DataError, match="is not inception"):
        inception_extractor(tmp_path, CPU)
    assert opened == []
    torch.jit.load(str(file))
    assert opened == [str(file)]


def test_what_is_opened_is_what_was_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the file is another one by then."""
    file = scripted(InceptionLike(), tmp_path / "extractors" / INCEPTION_FILE)
    key = sha256(file)
    load = torch.jit.load

    def late(source: object, **settings: object) -> object:
        scripted(Plain(), file)
        return load(source, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.jit, "load", late)
    found = inception_extractor(tmp_path, CPU, sha256=key)
    assert sha256(file) != key
    assert found.look(torch.ones(2, 3, 4, 4)).features[0].tolist() == [255, 255, 255]


def test_any_scripted_network_can_be_used_and_feature_maps_are_averaged(tmp_path: Path) -> None:
    extractor = torchscript_extractor(scripted(Plain(), tmp_path / "net.pt"), CPU)
    images = torch.rand(3, 2, 8, 8)
    assert torch.allclose(extractor.look(images).features, images[:, :, ::2, ::2].mean((2, 3)))
    assert extractor.hash == sha256(tmp_path / "net.pt")


def test_a_network_that_returns_no_features_is_told_what_it_must_return(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must return a tensor \(N, A\) or \(N, A, H, W\)"):
        torchscript_extractor(scripted(Wrong(), tmp_path / "net.pt"), CPU).look(torch.rand(3, 2, 8, 8))


def test_a_network_for_other_images_says_which_it_was_shown(tmp_path: Path) -> None:
    extractor = torchscript_extractor(scripted(nn.Conv2d(3, 4, 3), tmp_path / "net.pt"), CPU)
    with pytest.raises(DataError, match=r"cannot take images \(2, 1, 8, 8\)"):
        extractor.look(torch.rand(2, 1, 8, 8))


@pytest.mark.parametrize("content", [None, b"", b"PK not torchscript"])
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(DataError, match=r"net.pt cannot be read \(.*\); offline there are"):
        torchscript_extractor(tmp_path / "net.pt", CPU)
