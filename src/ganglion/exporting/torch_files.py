"""TorchScript and torch.export files, as bytes, each compared with PyTorch after it was read back."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch.export import Dim, ExportedProgram
from torch.export import export as torch_export
from torch.fx import GraphModule

from ganglion.errors import ExportError
from ganglion.exporting.agreement import Agreement, compare, first_line, of_module
from ganglion.exporting.graphs import Graph

__all__ = ["FACTS_FILE", "captured", "exported_program", "quiet", "torchscript"]

FACTS_FILE = "ganglion.json"
"""Name of the extra file in both formats that says what the network is."""

EXAMPLE = 3
"""Images in the batch with which a graph is captured; it holds for any number."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """While it lasts, warnings, log records and prints of the converters are dropped; errors are raised as ever.

    They say which optional packages are missing and which of their functions are deprecated, which is nothing that a user
    of ours can act on.
    """
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    said = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def captured(graph: Graph) -> ExportedProgram:
    """The graph of torch.export, for batches of any size N. Raises ExportError for a network that it cannot capture."""
    batch = Dim("N")
    sizes = tuple({0: batch} if name in graph.batched else {} for name in graph.inputs)
    try:
        with torch.no_grad(), quiet():
            given = tuple(graph.batch(0, EXAMPLE).values())
            program = torch_export(graph.module, given, dynamic_shapes=sizes, strict=False)
    except Exception as error:  # whatever a foreign forward and torch's tracing raise
        raise ExportError(
            f"torch.export cannot capture the {graph.part} for batches of any size: {first_line(error)}"
        ) from error
    program.example_inputs = None  # labels of training images among them
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, GraphModule) else ():
            node.meta.pop("stack_trace", None)  # it names folders of this machine
    return program


def exported_program(graph: Graph, program: ExportedProgram, facts: Mapping[str, str]) -> tuple[bytes, Agreement]:
    """The file that torch.export.load reads; call its module(). Raises ExportError."""
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program, buffer, extra_files={FACTS_FILE: json.dumps(dict(facts))})
        content = buffer.getvalue()
        module = torch.export.load(io.BytesIO(content)).module()
    return content, compare(graph, of_module(module), "the torch.export file")


def torchscript(graph: Graph, facts: Mapping[str, str]) -> tuple[bytes, Agreement]:
    """The file that torch.jit.load reads, traced. Raises ExportError."""
    buffer, jit = io.BytesIO(), cast(Any, torch.jit)
    given = tuple(graph.batch(0, EXAMPLE).values())
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is deprecated; what tracing fixes, the comparison finds
        try:
            traced = jit.trace(graph.module, given, check_trace=False)
        except Exception as error:  # as above
            raise ExportError(f"TorchScript cannot trace the {graph.part}: {first_line(error)}") from error
        jit.save(traced, buffer)
        loaded = jit.load(_without_traces(buffer))
        again = io.BytesIO()
        jit.save(loaded, again, _extra_files={FACTS_FILE: json.dumps(dict(facts)).encode()})
        content = again.getvalue()
        loaded = jit.load(io.BytesIO(content))
    return content, compare(graph, of_module(loaded), "the TorchScript file")


def _without_traces(file: io.BytesIO) -> io.BytesIO:
    """A TorchScript archive without the stack at each operation, which names folders of this machine.

    PyTorch reads it, and has to write it again: tensors lie at places of their own in its archives.
    """
    left = io.BytesIO()
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(left, "w", zipfile.ZIP_STORED) as kept:
        for name in archive.namelist():
            if not name.endswith(".debug_pkl"):
                kept.writestr(name, archive.read(name))
    left.seek(0)
    return left
