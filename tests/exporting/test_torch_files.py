"""TorchScript and torch.export files: read back in PyTorch, they draw what the model draws."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ganglion
from ganglion.errors import ExportError
from ganglion.exporting.facts import facts_of
from ganglion.exporting.graphs import generator_graph
from ganglion.exporting.torch_files import FACTS_FILE, captured, exported_program, torchscript
from ganglion.latent.model import model_of
from untrained_models import untrained_model

KINDS: list[dict[str, Any]] = [
    {"family": "dcgan", "channels": 4, "size": "16x24", "given": "classes"},
    {"family": "r3gan", "channels": 1, "given": "attributes"},
]


@pytest.mark.parametrize("asked", KINDS, ids=lambda asked: str(asked["family"]))
def test_a_torchscript_file_draws_the_models_images_and_says_what_it_is(asked: dict[str, Any]) -> None:
    model = untrained_model(**asked)
    graph = generator_graph(model, "uint8")
    content, agreement = torchscript(graph, facts_of(model, graph, "uint8"))
    assert agreement.largest <= 1
    held: dict[str, Any] = {FACTS_FILE: ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        network = torch.jit.load(io.BytesIO(content), _extra_files=held)
    assert json.loads(held[FACTS_FILE])["part"] == "generator"
    z, labels = model.latents(7, seed=4), model.labels(7, seed=4)
    assert labels is not None
    found = network(z, labels, torch.tensor([0.5])).numpy().astype(int)
    assert abs(found - model.pixels(0.5 * z, labels)).max() <= (1 if asked["channels"] != 4 else 255)


@pytest.mark.parametrize("asked", KINDS, ids=lambda asked: str(asked["family"]))
def test_a_torch_export_file_draws_the_models_images_in_batches_of_any_size(asked: dict[str, Any]) -> None:
    model = untrained_model(**asked)
    graph = generator_graph(model, "float")
    content, agreement = exported_program(graph, captured(graph), facts_of(model, graph, "float"))
    assert agreement.largest < 1e-4
    held = {FACTS_FILE: ""}
    module = torch.export.load(io.BytesIO(content), extra_files=held).module()
    assert json.loads(held[FACTS_FILE])["prior"] == "normal"
    for n in (1, 2, 9):
        z, labels = model.latents(n, seed=4), model.labels(n, seed=4)
        assert torch.allclose(module(z, labels, torch.ones(1)), model.generate(z, labels), atol=1e-4)


def test_neither_file_tells_of_this_machines_folders() -> None:
    model = untrained_model(given="classes")
    graph = generator_graph(model, "uint8")
    facts = facts_of(model, graph, "uint8")
    home = str(Path(ganglion.__file__).parent.parent).encode()
    for content in (torchscript(graph, facts)[0], exported_program(graph, captured(graph), facts)[0]):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = [archive.read(name) for name in archive.namelist()]
        assert len(parts) > 5
        for words in (home, b"site-packages", b"anna"):
            assert not [part for part in parts if words in part]


class Random(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(z + torch.randn_like(z))[:, :, None, None]


class OfItsBatch(nn.Module):
    """What tracing fixes: the number of images."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(z * float(len(z)) / 8)[:, :, None, None]


@pytest.mark.parametrize("network", [Random(), OfItsBatch()], ids=["random", "of its batch"])
def test_a_network_whose_file_would_draw_other_images_is_refused(network: nn.Module) -> None:
    model = model_of(network.eval(), 6)
    graph = generator_graph(model, "float")
    with pytest.raises(ExportError, match="the TorchScript file was not written: largest difference"):
        torchscript(graph, facts_of(model, graph, "float"))
