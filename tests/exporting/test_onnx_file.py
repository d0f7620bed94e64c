"""ONNX files of every family: equal to PyTorch's images, for any batch, and saying what they are."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from ganglion.errors import ExportError
from ganglion.exporting.facts import about, facts_of
from ganglion.exporting.graphs import Graph, discriminator_graph, generator_graph
from ganglion.exporting.layers import Output
from ganglion.exporting.onnx_file import OPSET, check_installed, onnx_file
from ganglion.exporting.torch_files import captured
from ganglion.latent.model import Model, model_of
from ganglion.networks.build import build_discriminator
from untrained_models import off_the_first_weights, untrained_model

GENERATORS: dict[str, tuple[Output, dict[str, Any]]] = {
    "dcgan, gray, not square": ("uint8", {"size": "16x24", "channels": 1}),
    "dcgan, RGBA, classes by norm": ("uint8", {"channels": 4, "given": "classes"}),
    "dcgan, virtual batch norm, sphere": (
        "float", {"generator__norm": "virtual-batch", "latent__prior": "sphere", "given": "attributes"},
    ),
    "dcgan, RGBA, not square, classes by norm, a layer of full size": (
        "uint8", {
            "size": "16x24", "channels": 4, "given": "classes", "generator__full_size_maps": 3,
            "generator__upsampling": "nearest", "generator__conditioning": "norm",
        },
    ),
    "resnet, RGBA, not square": ("uint8", {"family": "resnet", "size": "24x16", "channels": 4}),
    "resnet, RGB, classes by norm": ("float", {"family": "resnet", "given": "classes"}),
    "resnet, gray, attributes": ("uint8", {"family": "resnet", "channels": 1, "given": "attributes"}),
    "r3gan, RGB, uniform": ("float", {"family": "r3gan", "latent__prior": "uniform"}),
    "r3gan, RGBA, not square, classes": (
        "uint8", {"family": "r3gan", "size": "16x24", "channels": 4, "given": "classes"},
    ),
    "skip, gray": ("uint8", {"family": "skip", "channels": 1}),
    "skip, RGBA, not square, attributes": (
        "float", {"family": "skip", "size": "16x24", "channels": 4, "given": "attributes"},
    ),
    "skip, RGB, sub-pixel, classes": ("uint8", {"family": "skip", "generator__upsampling": "sub-pixel", "given": "classes"}),
}  # fmt: skip
DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "dcgan, gray, not square, statistics of groups": {
        "size": "16x24", "channels": 1, "discriminator__minibatch": "stddev",
    },
    "dcgan, classes, minibatch discrimination": {"discriminator__minibatch": "discrimination", "given": "classes"},
    "resnet, RGBA, spectral norm, classes": {
        "family": "resnet", "channels": 4, "given": "classes", "discriminator__spectral_norm": True,
    },
    "r3gan": {"family": "r3gan"},
    "skip, attributes": {"family": "skip", "given": "attributes"},
}  # fmt: skip


def written(model: Model, graph: Graph, output: Output, opset: int = OPSET) -> tuple[bytes, Any]:
    facts = facts_of(model, graph, output)
    return onnx_file(graph, captured(graph), facts, about(facts), opset)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_of_every_kind_draws_as_pytorch_does_for_any_batch_and_truncation(name: str) -> None:
    output, asked = GENERATORS[name]
    model = untrained_model(**asked)
    content, agreement = written(model, generator_graph(model, output), output)
    assert agreement.largest <= (1 if output == "uint8" else 1e-4)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    z, labels = model.latents(5, seed=9), model.labels(5, seed=9)
    inputs = {"z": z.numpy(), "truncation": np.array([0.7], np.float32)}
    (images,) = session.run(None, inputs | ({} if labels is None else {"labels": labels.numpy()}))
    if output == "float":
        assert np.abs(images - model.generate(0.7 * z, labels).numpy()).max() < 1e-4
    else:
        assert images.shape == (5, *model.recipe.data.size, model.recipe.data.channels)
        assert images.dtype == np.uint8
    assert images.std() > 0


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_discriminator_of_every_kind_gives_pytorchs_logits(name: str) -> None:
    model = untrained_model(**DISCRIMINATORS[name])
    network = off_the_first_weights(build_discriminator(model.recipe)).eval().requires_grad_(False)
    agreement = written(model, discriminator_graph(model, network), "uint8")[1]
    assert agreement.largest < agreement.bound / 10


@pytest.fixture(scope="module")
def file() -> onnx.ModelProto:
    model = untrained_model(channels=4, given="attributes")
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        content, _ = written(model, generator_graph(model, "uint8"), "uint8")
    assert said.getvalue() == "", "the conversion says nothing of its own"
    assert b"site-packages" not in content
    assert b"anna" not in content
    return onnx.load_from_string(content)


def test_a_file_says_what_it_is(file: onnx.ModelProto) -> None:
    facts = {entry.key: entry.value for entry in file.metadata_props}
    assert (facts["part"], facts["size"], facts["channels"], facts["latent_dim"]) == ("generator", "16x16", "4", "6")
    assert json.loads(facts["condition_vector"])[:2] == ["smiling", "age"]
    assert [column["name"] for column in json.loads(facts["attributes"])] == ["smiling", "age", "hair"]
    assert "source: photos" in facts["recipe"]
    assert "Input z: float32 (N, 6), numbers from N(0, 1)." in file.doc_string


def test_a_file_names_its_inputs_and_the_size_of_the_batch(file: onnx.ModelProto) -> None:
    shapes = {
        value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*file.graph.input, *file.graph.output)
    }
    assert shapes == {"z": ["N", 6], "labels": ["N", 5], "truncation": [1], "images": ["N", 16, 16, 4]}
    assert [entry.version for entry in file.opset_import] == [OPSET]


def test_an_opset_that_cannot_hold_the_network_is_refused_in_a_line() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.Unflatten(1, (3, 2, 2))).eval()
    graph = generator_graph(model_of(network, 6), "uint8")
    program = captured(graph)
    for opset in (1, 99):
        with pytest.raises(ExportError, match=f"with opset {opset}.*: leave out --opset") as raised:
            onnx_file(graph, program, {"part": "generator"}, "", opset)
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 600


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_its_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExportError, match=rf"{package}.*pip install 'ganglion\[export\]'"):
        check_installed()


def test_a_network_that_looks_at_the_values_of_its_input_is_refused_with_the_reason() -> None:
    class Branching(torch.nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return z[:, :, None, None] if z.sum() > 0 else -z[:, :, None, None]

    with pytest.raises(ExportError, match="cannot capture the generator"):
        captured(generator_graph(model_of(Branching().eval(), 6), "float"))
