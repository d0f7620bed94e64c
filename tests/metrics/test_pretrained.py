from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganglion.errors import DataError
from ganglion.metrics.pretrained import hf_extractor, timm_extractor

CPU = torch.device("cpu")
transformers = pytest.importorskip("transformers", reason="the extra hf is not installed")


class Corner(nn.Module):
    """Sees the mean of each channel, and keeps what it was shown."""

    def forward(self, images: Tensor) -> Tensor:
        self.shown = images
        return images.mean((2, 3))


def timm_like(network: nn.Module) -> Any:
    """A stand-in with the two functions of timm that are used: timm needs torchvision, which has no build for every torch."""

    def create_model(name: str, pretrained: bool, num_classes: int) -> nn.Module:
        if name == "none":
            raise RuntimeError("Unknown model (none)\nand a long story")
        assert (pretrained, num_classes) == (True, 0)
        return network

    config = {"input_size": (3, 24, 24), "mean": (0.5, 0.4, 0.3), "std": (0.5, 0.25, 0.125)}
    return SimpleNamespace(
        create_model=create_model, data=SimpleNamespace(resolve_model_data_config=lambda model: config)
    )


def test_timm_gets_images_as_its_network_was_trained() -> None:
    network = Corner()
    extractor = timm_extractor("corner", CPU, lambda: timm_like(network))
    features = extractor.look(torch.full((2, 3, 32, 40), 0.5)).features
    assert network.shown.shape == (2, 3, 24, 24)
    assert features[0].tolist() == pytest.approx(
        [(0.75 - 0.5) / 0.5, (0.75 - 0.4) / 0.25, (0.75 - 0.3) / 0.125], abs=1e-4
    )
    assert (extractor.name, extractor.comparable, extractor.about) == ("timm:corner", True, "timm's corner, at 24x24")


def test_gray_images_become_colour_images_of_equal_channels() -> None:
    network = Corner()
    timm_extractor("corner", CPU, lambda: timm_like(network)).look(torch.zeros(2, 1, 24, 24))
    assert network.shown.shape == (2, 3, 24, 24)


def missing() -> Any:
    raise ImportError("no timm")


def test_without_timm_it_says_what_to_install_and_what_works_without() -> None:
    with pytest.raises(DataError, match=r"needs timm: pip install timm, or use learned or random"):
        timm_extractor("resnet18", CPU, missing)


def test_a_network_that_cannot_be_had_is_said_in_one_line() -> None:
    with pytest.raises(DataError) as raised:
        timm_extractor("none", CPU, lambda: timm_like(Corner()))
    assert str(raised.value) == "timm:none cannot be had (Unknown model (none)); offline there are learned and random"


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
    extractor = hf_extractor(str(small_vit), CPU)
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = extractor.look(images).features
    model = transformers.AutoModel.from_pretrained(small_vit).eval()
    with torch.no_grad():
        expected = model(pixel_values=((images + 1) / 2 - 0.5) / 0.25).pooler_output
    assert torch.allclose(features, expected, atol=1e-5)
    assert math.isfinite(float(features.sum()))
    assert extractor.hash == hf_extractor(str(small_vit), CPU).hash


def test_a_model_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be had .*; offline there are learned and random"):
        hf_extractor(str(tmp_path), CPU)
