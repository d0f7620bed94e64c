from __future__ import annotations

import hashlib
import math
import pickle
import shutil
import threading
import warnings
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_sample_images
from torch import Tensor, nn

from ganglion.data.pixels import to_float
from ganglion.errors import DataError
from ganglion.metrics.pretrained import (
    INCEPTION_FILE,
    find_inception,
    hf_extractor,
    inception_extractor,
    squeezenet_extractor,
    timm_extractor,
    torchscript_extractor,
)
from ganglion.metrics.squeezenet import pretrained_squeezenet
from ganglion.platform.files import cache_folder
from squeezenet import needs_weights

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
    assert find_inception(tmp_path / "cache", {}) == tmp_path / "cache" / "extractors" / INCEPTION_FILE
    images = torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    seen = first.embed(images)
    assert seen.features[0].tolist() == [0, 128, 255]
    assert seen.probabilities is None
    whole = inception_extractor(tmp_path / "cache", CPU, url, key, classes=True)
    assert whole.hash != key
    probabilities = whole.embed(images).probabilities
    assert probabilities is not None
    assert probabilities.shape == (2, 3)
    assert first.embed(torch.zeros(2, 1, 4, 4)).features[0].tolist() == [128, 128, 128]


def test_what_is_not_the_file_that_was_promised_is_not_kept(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    (folder / INCEPTION_FILE).write_bytes(b"something else")
    with pytest.raises(DataError, match="it was discarded; offline there are --features learned"):
        inception_extractor(tmp_path / "cache", CPU, f"{address}/{INCEPTION_FILE}", "00" * 32)
    assert find_inception(tmp_path / "cache", {}) is None


def test_without_a_network_it_names_the_file_its_place_and_the_offline_choices(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        inception_extractor(tmp_path, CPU, "http://127.0.0.1:9/x")
    for part in (INCEPTION_FILE, str(tmp_path / "extractors"), "GANGLION_INCEPTION=FILE", "learned, random, pixels"):
        assert part in str(raised.value)


def test_a_file_can_be_named_by_the_environment(tmp_path: Path) -> None:
    file = scripted(InceptionLike(), tmp_path / "mine.pt")
    assert find_inception(tmp_path, {"GANGLION_INCEPTION": str(file)}) == file
    with pytest.raises(DataError, match="no such file"):
        find_inception(tmp_path, {"GANGLION_INCEPTION": str(tmp_path / "none.pt")})
    assert find_inception(tmp_path, {}) is None


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
    assert found.embed(torch.ones(2, 3, 4, 4)).features[0].tolist() == [255, 255, 255]


def test_any_scripted_network_can_be_used_and_feature_maps_are_averaged(tmp_path: Path) -> None:
    extractor = torchscript_extractor(scripted(Plain(), tmp_path / "net.pt"), CPU)
    images = torch.rand(3, 2, 8, 8)
    assert torch.allclose(extractor.embed(images).features, images[:, :, ::2, ::2].mean((2, 3)))
    assert extractor.hash == sha256(tmp_path / "net.pt")


def test_a_network_that_returns_no_features_is_told_what_it_must_return(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must return a tensor \(N, A\) or \(N, A, H, W\)"):
        torchscript_extractor(scripted(Wrong(), tmp_path / "net.pt"), CPU).embed(torch.rand(3, 2, 8, 8))


def test_a_network_for_other_images_says_which_it_was_shown(tmp_path: Path) -> None:
    extractor = torchscript_extractor(scripted(nn.Conv2d(3, 4, 3), tmp_path / "net.pt"), CPU)
    with pytest.raises(DataError, match=r"cannot take images \(2, 1, 8, 8\)"):
        extractor.embed(torch.rand(2, 1, 8, 8))


@pytest.mark.parametrize("content", [None, b"", b"PK not torchscript"])
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(DataError, match=r"net.pt cannot be read \(.*\); offline there are"):
        torchscript_extractor(tmp_path / "net.pt", CPU)


CPU_PRETRAINED = torch.device("cpu")
transformers = pytest.importorskip("transformers", reason="the extra hf is not installed")


class Corner(nn.Module):
    """Sees the mean of each channel, and keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("level", torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        self.shown = images
        return images.mean((2, 3))


def timm_like(network: nn.Module) -> Any:
    """A stand-in with the functions of timm that are used: timm needs torchvision, which has no build for every torch.

    As timm does, it takes weights that are handed to it before any that it would look for; it refuses to look for some.
    """

    def create_model(
        name: str, pretrained: bool, num_classes: int, pretrained_cfg_overlay: dict[str, Any]
    ) -> nn.Module:
        if name == "odd":
            raise RuntimeError("no such layer\nand a long story")
        assert (pretrained, num_classes, pretrained_cfg_overlay["source"]) == (True, 0, "")
        network.load_state_dict(pretrained_cfg_overlay["state_dict"])
        return network

    def get_pretrained_cfg(name: str) -> Any:
        return None if name == "none" else SimpleNamespace(hf_hub_id=None if name == "old" else f"timm/{name}.a1")

    config = {"input_size": (3, 24, 24), "mean": (0.5, 0.4, 0.3), "std": (0.5, 0.25, 0.125)}
    return SimpleNamespace(
        create_model=create_model, get_pretrained_cfg=get_pretrained_cfg,
        data=SimpleNamespace(resolve_model_data_config=lambda model: config),
    )  # fmt: skip


class Hub:
    """A folder in the place of the hub; keeps what it was asked for."""

    def __init__(self, folder: Path, file: str = "model.safetensors") -> None:
        self.folder = folder
        self.asked: list[tuple[str, str, str | None]] = []
        save_file({"level": torch.full((1,), 7.0)}, folder / file)

    def __call__(self, repository: str, file: str, revision: str | None = None) -> str:
        self.asked.append((repository, file, revision))
        if not (self.folder / file).is_file():
            raise FileNotFoundError(f"404: {repository} has no {file}")
        return str(self.folder / file)


class Canary:
    """Sings when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.place,)


def test_timm_gets_images_as_its_network_was_trained(tmp_path: Path) -> None:
    network = Corner()
    extractor = timm_extractor("corner", CPU_PRETRAINED, lambda: timm_like(network), Hub(tmp_path))
    features = extractor.embed(torch.full((2, 3, 32, 40), 0.5)).features
    assert network.shown.shape == (2, 3, 24, 24)
    assert features[0].tolist() == pytest.approx(
        [(0.75 - 0.5) / 0.5, (0.75 - 0.4) / 0.25, (0.75 - 0.3) / 0.125], abs=1e-4
    )
    assert (extractor.name, extractor.comparable, extractor.about) == ("timm:corner", True, "timm's corner, at 24x24")


def test_gray_images_become_colour_images_of_equal_channels(tmp_path: Path) -> None:
    network = Corner()
    extractor = timm_extractor("corner", CPU_PRETRAINED, lambda: timm_like(network), Hub(tmp_path))
    extractor.embed(torch.zeros(2, 1, 24, 24))
    assert network.shown.shape == (2, 3, 24, 24)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("corner", ("timm/corner.a1", "model.safetensors", None)),
        ("hf-hub:someone/corner", ("someone/corner", "model.safetensors", None)),
        ("hf-hub:someone/corner@v2", ("someone/corner", "model.safetensors", "v2")),
    ],
)
def test_the_weights_of_timm_come_from_the_hub_as_safetensors(
    name: str, asked: tuple[Any, ...], tmp_path: Path
) -> None:
    network, hub = Corner(), Hub(tmp_path)
    timm_extractor(name, CPU_PRETRAINED, lambda: timm_like(network), hub)
    assert hub.asked == [asked]
    assert network.level.tolist() == [7]


def test_the_weights_of_timm_can_be_in_a_folder(tmp_path: Path) -> None:
    network, hub = Corner(), Hub(tmp_path)
    timm_extractor(f"local-dir:{tmp_path}", CPU_PRETRAINED, lambda: timm_like(network), hub)
    assert (hub.asked, network.level.tolist()) == ([], [7])


@pytest.mark.parametrize("file", ["pytorch_model.bin", "model.safetensors"])
@pytest.mark.parametrize("source", ["hf-hub:someone/corner", "local-dir:"])
def test_pickled_weights_of_timm_are_refused_whatever_they_are_called(source: str, file: str, tmp_path: Path) -> None:
    hub = Hub(tmp_path, "other")
    (tmp_path / file).write_bytes(pickle.dumps({"level": Canary(tmp_path / "sung")}))
    name = f"{source}{tmp_path}" if source == "local-dir:" else source
    with pytest.raises(DataError, match=r"is not available as safetensors"):
        timm_extractor(name, CPU_PRETRAINED, lambda: timm_like(Corner()), hub)
    assert not (tmp_path / "sung").exists()


def missing(library: str) -> Any:
    raise ModuleNotFoundError(f"No module named {library!r}", name=library)


def broken() -> Any:
    raise RuntimeError("operator torchvision::nms does not exist")


def without_torchvision() -> Any:
    raise ModuleNotFoundError("No module named 'torchvision'", name="torchvision")


@pytest.mark.parametrize(("extractor", "library"), [(timm_extractor, "timm"), (hf_extractor, "transformers")])
def test_without_its_library_it_says_what_to_install_and_what_works_without(extractor: Any, library: str) -> None:
    with pytest.raises(DataError, match=rf"needs {library}: pip install {library}, or use learned or random"):
        extractor("resnet18", CPU_PRETRAINED, partial(missing, library))


@pytest.mark.parametrize(("extractor", "library"), [(timm_extractor, "timm"), (hf_extractor, "transformers")])
@pytest.mark.parametrize("failing", [broken, without_torchvision])
def test_a_library_that_is_there_and_fails_says_why(extractor: Any, library: str, failing: Any) -> None:
    with pytest.raises(DataError, match=rf"{library} is installed but cannot be imported \(.*torchvision"):
        extractor("resnet18", CPU_PRETRAINED, failing)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("odd", "no such layer"),
        ("none", "timm has no model.safetensors on the hub"),
        ("old", "timm has no model.safetensors on the hub"),
    ],
)
def test_a_network_that_cannot_be_had_is_said_in_one_line(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        timm_extractor(name, CPU_PRETRAINED, lambda: timm_like(Corner()), Hub(tmp_path))
    assert str(raised.value).startswith(f"timm:{name} is not available as safetensors ({reason}")
    assert str(raised.value).endswith("offline, use learned or random")
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def small_vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vision transformer of the real kind, two heads small, saved as the hub has them."""
    folder = tmp_path_factory.mktemp("vit")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.ViTConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=32,
            patch_size=8,
        )
        transformers.ViTModel(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}, '
        '"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}'
    )
    return folder


def test_a_transformer_is_read_from_a_folder_and_agrees_with_itself(small_vit: Path) -> None:
    extractor = hf_extractor(str(small_vit), CPU_PRETRAINED)
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = extractor.embed(images).features
    model = transformers.AutoModel.from_pretrained(small_vit).eval()
    with torch.no_grad():
        expected = model(pixel_values=((images + 1) / 2 - 0.5) / 0.25).pooler_output
    assert torch.allclose(features, expected, atol=1e-5)
    assert math.isfinite(float(features.sum()))
    assert extractor.hash == hf_extractor(str(small_vit), CPU_PRETRAINED).hash


def test_its_hash_is_that_of_weights_and_preparation_wherever_it_lies(small_vit: Path, tmp_path: Path) -> None:
    shutil.copytree(small_vit, tmp_path / "moved")
    known = hf_extractor(str(small_vit), CPU_PRETRAINED).hash
    assert hf_extractor(str(tmp_path / "moved"), CPU_PRETRAINED).hash == known
    settings = tmp_path / "moved" / "preprocessor_config.json"
    settings.write_text(settings.read_text().replace('"image_mean": [0.5', '"image_mean": [0.4'))
    assert hf_extractor(str(tmp_path / "moved"), CPU_PRETRAINED).hash != known


def test_pickled_weights_of_a_transformer_are_refused(small_vit: Path, tmp_path: Path) -> None:
    shutil.copytree(small_vit, tmp_path, dirs_exist_ok=True)
    weights = transformers.AutoModel.from_pretrained(small_vit).state_dict()
    (tmp_path / "model.safetensors").unlink()
    torch.save(weights, tmp_path / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"is not available as safetensors"):
        hf_extractor(str(tmp_path), CPU_PRETRAINED)


def test_code_of_a_hub_is_never_run_and_nobody_is_asked(small_vit: Path) -> None:
    asked: list[dict[str, Any]] = []

    def recording(kind: Any) -> Any:
        def from_pretrained(name: str, **settings: Any) -> Any:
            asked.append(settings)
            return kind.from_pretrained(name, **settings)

        return SimpleNamespace(from_pretrained=from_pretrained)

    library = SimpleNamespace(
        AutoModel=recording(transformers.AutoModel), AutoImageProcessor=recording(transformers.AutoImageProcessor)
    )
    hf_extractor(str(small_vit), CPU_PRETRAINED, lambda: library)
    assert [settings["trust_remote_code"] for settings in asked] == [False, False]


def test_a_model_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is not available .*; offline, use learned or random"):
        hf_extractor(str(tmp_path), CPU_PRETRAINED)


@pytest.mark.usefixtures("squeezenet")
def test_squeezenets_features_are_means_over_maps_of_images_of_one_area(tmp_path: Path) -> None:
    extractor = squeezenet_extractor(tmp_path, CPU)
    assert "SqueezeNet 1.1 trained on ImageNet, at 128x128: not the network of FID" in extractor.about
    assert (extractor.name, extractor.comparable) == ("squeezenet", True)
    images = torch.rand(3, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = extractor.embed(images).features
    last = pretrained_squeezenet().features(images)
    assert torch.allclose(found, last.mean((2, 3)) / 4)
    for shape in ((32, 32), (16, 64), (300, 200), (1, 256)):
        small = torch.nn.functional.interpolate(images, shape, mode="area")
        assert extractor.embed(small).features.shape == (3, 512)
        assert torch.allclose(
            extractor.embed(small[:, :1]).features,
            extractor.embed(small[:, :1].expand(-1, 3, -1, -1)).features,
            rtol=1e-4,
        )


@needs_weights
def test_squeezenet_finds_the_same_photograph_again_in_other_colours() -> None:
    """Crops of two photographs: the nearest other crop is of the same one, though its colours are exchanged."""
    crops = [photograph[row : row + 128, column : column + 128] for photograph in load_sample_images().images
             for row, column in ((100, 60), (200, 260), (250, 440))]  # fmt: skip
    images = to_float(torch.from_numpy(np.stack([*crops, *(crop[..., ::-1] for crop in crops)])))
    features = squeezenet_extractor(cache_folder(), CPU).embed(images).features
    apart = torch.cdist(features[6:], features[:6])
    assert (apart.argmin(1) // 3).tolist() == [0, 0, 0, 1, 1, 1]
