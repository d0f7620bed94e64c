"""The ONNX file of a network, as bytes, compared with PyTorch by onnxruntime. Needs the extra `export`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.export import ExportedProgram

from ganglion.errors import ExportError
from ganglion.exporting.agreement import Agreement, compare, first_line
from ganglion.exporting.graphs import Graph
from ganglion.exporting.torch_files import quiet

__all__ = ["OPSET", "check_installed", "onnx_file"]

OPSET = 18
"""PyTorch's converter writes this version of ONNX's operators; any other is converted from it."""
LARGEST = 2**31 - 1
"""Bytes of a protobuf message, which an ONNX file is."""


def check_installed() -> None:
    """Raises ExportError where a package of the extra is missing."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        _imported(package)


def onnx_file(
    graph: Graph, program: ExportedProgram, facts: Mapping[str, str], about: str, opset: int = OPSET
) -> tuple[bytes, Agreement]:
    """The file, with `facts` as its metadata and `about` as its description. Raises ExportError."""
    model = _converted(graph, program, opset)
    _describe(model, facts, about)
    if model.ByteSize() > LARGEST:
        raise ExportError(f"the {graph.part} has more than 2 GB, the most that an ONNX file holds: use --safetensors")
    content: bytes = model.SerializeToString(deterministic=True)
    return content, compare(graph, _session(content), "the ONNX file")


def _converted(graph: Graph, program: ExportedProgram, opset: int) -> Any:
    try:
        with quiet():
            made = torch.onnx.export(
                program, (), dynamo=True, opset_version=opset, input_names=list(graph.inputs),
                output_names=[graph.output], external_data=False, verbose=False,
            )  # fmt: skip
            model: Any = made.model_proto  # type: ignore[union-attr]
            _imported("onnx").checker.check_model(model)
    except Exception as error:  # of several libraries
        raise ExportError(
            f"the {graph.part} cannot be written as ONNX with opset {opset}: {first_line(error)}; opset {OPSET} holds every "
            "family of networks: leave out --opset"
        ) from error
    found = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    if found != opset:
        raise ExportError(
            f"the {graph.part} cannot be written as ONNX with opset {opset}; opset {OPSET} holds every family of networks: "
            "leave out --opset"
        )
    return model


def _describe(model: Any, facts: Mapping[str, str], about: str) -> None:
    """Metadata in; what the converter notes about the source code, its paths among it, out. The batch's size is named N."""
    del model.metadata_props[:], model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        del value.metadata_props[:]
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_param = re.sub(r"\bs\d+\b", "N", size.dim_param)
    for weight in model.graph.initializer:
        del weight.metadata_props[:]
    model.producer_name, model.doc_string = "ganglion", about
    model.graph.name = facts["part"]
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)


def _session(content: bytes) -> Any:
    """The file in onnxruntime, as a function of inputs by name."""
    runtime = _imported("onnxruntime")
    settings = runtime.SessionOptions()
    settings.log_severity_level = 3  # errors
    session = runtime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])

    def compute(inputs: Mapping[str, Tensor]) -> NDArray[np.generic]:
        output: NDArray[np.generic] = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})[0]
        return output

    return compute


def _imported(package: str) -> Any:
    try:
        return import_module(package)
    except ImportError as error:
        raise ExportError(
            f"ONNX files need {package}, of the extra 'export' ({first_line(error)}): pip install 'ganglion[export]'"
        ) from None
