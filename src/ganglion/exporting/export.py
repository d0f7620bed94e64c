"""`ganglion.export`: a trained generator as files for other programs. All is made and compared before anything is written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path

from torch import nn
from torch.export import ExportedProgram

from ganglion.errors import ExportError, StorageError
from ganglion.exporting.agreement import Agreement
from ganglion.exporting.facts import about, checkpoint_name, facts_of
from ganglion.exporting.graphs import Graph, discriminator_graph, generator_graph
from ganglion.exporting.layers import OUTPUTS, Output
from ganglion.exporting.onnx_file import OPSET, check_installed, onnx_file
from ganglion.exporting.page import PAGE_FILES, web_page
from ganglion.exporting.runtime import runtime_files
from ganglion.exporting.script import script_text
from ganglion.exporting.torch_files import captured, exported_program, torchscript
from ganglion.latent.model import Model, discriminator_of, load
from ganglion.latent.single_file import SingleFile, single_file_bytes
from ganglion.platform.files import write_atomically
from ganglion.runs.folder import Run

__all__ = ["Exported", "export"]

Place = str | PathLike[str]
NETWORKS = ("onnx", "torchscript", "torch-export")
"""Kinds of files that hold one network each."""


@dataclass(frozen=True)
class Exported:
    """A file that was written."""

    path: Path
    size_bytes: int
    about: str
    """What it holds, in a few words."""
    agreement: Agreement | None
    """How far it is from PyTorch; None for a file that computes nothing by itself."""
    seconds: float
    """That making and comparing it took."""

    def text(self) -> str:
        """One line, and the difference from PyTorch in a second one."""
        line = f"{self.path} ({_size(self.size_bytes)}, {self.seconds:.1f} s): {self.about}"
        return line if self.agreement is None else f"{line}\n  {self.agreement.text()}"


@dataclass(frozen=True)
class _Made:
    """A file that is not written yet."""

    path: Path
    content: bytes
    about: str
    agreement: Agreement | None = None


def export(
    run: str | Path | Run | Model,
    *,
    onnx: Place | None = None,
    torchscript: Place | None = None,
    torch_export: Place | None = None,
    safetensors: Place | None = None,
    web: Place | None = None,
    script: Place | None = None,
    discriminator: bool | nn.Module = False,
    generator: nn.Module | None = None,
    output: Output = "uint8",
    opset: int = OPSET,
    runtime: Place | None = None,
    overwrite: bool = False,
    checkpoint: str | int = "best",
) -> list[Exported]:
    """Writes the generator of a run as files for other programs. Keywords are the command's options. Returns what was written.

    run: a run, a single file of an earlier export, or a Model.
    onnx, torchscript, torch_export: a FILE each, for batches of any size, that takes z (N, Z), labels of a conditional
        model, and truncation (1,). Each is compared with PyTorch on 64 latents, and not written where it differs.
    safetensors: a FILE that `load` reads without the run folder. web: a FOLDER for a page that runs the generator in a
        browser. script: a FILE.py that draws an image from the ONNX file.
    discriminator: D too, into FILE-discriminator of onnx, torchscript and torch_export, and into safetensors; or the module,
        of a run that was trained on modules of your own. generator: likewise.
    output: of onnx, torchscript and torch_export: "uint8", images (N, H, W, C), or "float", (N, C, H, W) in [-1, 1].
    opset: version of ONNX's operators. runtime: a folder with onnxruntime-web's files; None: from the cache folder or npm.
    overwrite: replace files that are there.

    Nothing is written unless all of it can be made. Raises ExportError, RunError, CheckpointError, RecipeError,
    StorageError; ValueError for an output that there is not.
    """
    places = {
        "onnx": onnx, "torchscript": torchscript, "torch-export": torch_export, "safetensors": safetensors, "web": web,
        "script": script,
    }  # fmt: skip
    asked = {name: Path(place) for name, place in places.items() if place is not None}
    _check(asked, discriminator is not False, output, overwrite)
    model = run if isinstance(run, Model) else load(run, checkpoint, generator=generator)
    job = _Job(model, asked, discriminator, output, opset, None if runtime is None else Path(runtime))
    made = []
    started = time.perf_counter()
    for file in job.files():
        made.append((file, time.perf_counter() - started))
        started = time.perf_counter()
    for file, _ in made:
        write_atomically(file.path, file.content)
    return [Exported(file.path, len(file.content), file.about, file.agreement, seconds) for file, seconds in made]


@dataclass(frozen=True)
class _Job:
    """What `export` was asked for; each network is captured once, for all files that need it."""

    model: Model
    asked: dict[str, Path]
    discriminator: bool | nn.Module
    output: Output
    opset: int
    runtime: Path | None

    def files(self) -> Iterator[_Made]:
        """Made one after another. Raises ExportError."""
        library = runtime_files(self.runtime) if "web" in self.asked else {}  # first: it may not be there
        for graph in self.graphs:
            yield from self._files_of(graph)
        if path := self.asked.get("safetensors"):
            yield self._single_file(path)
        if path := self.asked.get("script"):
            text = script_text(path, self.asked["onnx"], self.model, self.output)
            yield _Made(path, text.encode(), "draws an image from the ONNX file")
        if folder := self.asked.get("web"):
            yield from self._page(folder, library)

    @cached_property
    def graphs(self) -> list[Graph]:
        if not self.asked.keys() & set(NETWORKS):
            return []
        graphs = [generator_graph(self.model, self.output)]
        return graphs if self.network_d is None else [*graphs, discriminator_graph(self.model, self.network_d)]

    @cached_property
    def network_d(self) -> nn.Module | None:
        if self.discriminator is False:
            return None
        own = self.discriminator if isinstance(self.discriminator, nn.Module) else None
        found = discriminator_of(self.model, own)
        if found is None:
            raise ExportError("there is no discriminator beside this generator: leave out --discriminator")
        return found

    def _files_of(self, graph: Graph) -> Iterator[_Made]:
        facts = facts_of(self.model, graph, self.output)
        program: ExportedProgram | None = None
        if self.asked.keys() & {"onnx", "torch-export"}:
            program = captured(graph)
        said = f"{graph.part}, {_signature(graph)}"
        if (path := self.asked.get("onnx")) and program:
            content, agreement = onnx_file(graph, program, facts, about(facts), self.opset)
            yield _Made(_place(path, graph), content, f"ONNX opset {self.opset}, {said}", agreement)
        if path := self.asked.get("torchscript"):
            content, agreement = torchscript(graph, facts)
            yield _Made(_place(path, graph), content, f"TorchScript, {said}", agreement)
        if (path := self.asked.get("torch-export")) and program:
            content, agreement = exported_program(graph, program, facts)
            yield _Made(_place(path, graph), content, f"torch.export, {said}", agreement)

    def _single_file(self, path: Path) -> _Made:
        recipe = getattr(self.model, "recipe", None)
        if recipe is None:
            raise ExportError("--safetensors needs the recipe of a run, and this generator is not from a run")
        weights = {} if self.network_d is None else self.network_d.state_dict()
        rows = self.model.training_rows
        name = checkpoint_name(self.model)
        content = SingleFile(recipe, name, self.model.generator.state_dict(), weights, rows)
        said = f"for ganglion.load, checkpoint {name or 'of no step'}{', with D' if weights else ''}"
        said += f"; it holds the attributes of {len(rows):,} training images" if rows is not None else ""
        return _Made(path, single_file_bytes(content), said)

    def _page(self, folder: Path, library: dict[str, bytes]) -> Iterator[_Made]:
        graph = generator_graph(self.model, "uint8")
        facts = facts_of(self.model, graph, "uint8")
        content, agreement = onnx_file(graph, captured(graph), facts, about(facts), self.opset)
        for name, page in web_page(self.model, content, library).items():
            is_page = name.endswith(".html")
            said = "a page that runs the generator, from any web server or by double click" if is_page else "licences"
            yield _Made(folder / name, page, said, agreement if is_page else None)


def _check(asked: dict[str, Path], with_d: bool, output: str, overwrite: bool) -> None:
    """Before any work. Raises ExportError, StorageError, ValueError."""
    if output not in OUTPUTS:
        raise ValueError(f"output is {' or '.join(OUTPUTS)}; got {output!r}")
    if not asked:
        raise ExportError("nothing to write: name a file, such as --onnx generator.onnx, or a folder with --web")
    if "script" in asked and "onnx" not in asked:
        raise ExportError("--script loads an ONNX file: give --onnx FILE.onnx too")
    if asked.keys() & {"onnx", "web"}:
        check_installed()
    if (folder := asked.get("web")) and folder.exists() and not folder.is_dir():
        raise StorageError(f"--web takes a folder, and {folder} is a file: choose another one")
    _check_targets(_targets(asked, with_d), overwrite)


def _targets(asked: dict[str, Path], with_d: bool) -> list[Path]:
    """All files that will be written."""
    networks = [path for name, path in asked.items() if name in NETWORKS]
    pages = [asked["web"] / name for name in PAGE_FILES] if "web" in asked else []
    return [path for name, path in asked.items() if name != "web"] + pages + [_for_d(p) for p in networks if with_d]


def _check_targets(targets: list[Path], overwrite: bool) -> None:
    if len(set(targets)) < len(targets):
        raise ExportError("two outputs have the same file: name another one for one of them")
    for path in targets:
        if path.is_dir():
            raise StorageError(f"{path} is a folder, and a file was to be written there: choose another name")
        if path.exists() and not overwrite:
            raise StorageError(f"{path} is already there: choose another name, or replace it with --overwrite")


def _for_d(path: Path) -> Path:
    return path.with_name(f"{path.stem}-discriminator{path.suffix}")


def _place(path: Path, graph: Graph) -> Path:
    return path if graph.part == "generator" else _for_d(path)


def _signature(graph: Graph) -> str:
    """`z (N, 64), truncation (1) to images uint8 (N, 32, 32, 3)`."""
    rows = graph.batched
    shapes = {
        name: ["N" if name in rows else str(len(tensor)), *map(str, tensor.shape[1:])]
        for name, tensor in graph.inputs.items()
    }
    made = graph.reference(graph.batch(0, 1))
    inputs = ", ".join(f"{name} ({', '.join(sizes)})" for name, sizes in shapes.items())
    sizes = ", ".join(["N", *map(str, made.shape[1:])])
    return f"{inputs} to {graph.output} {str(made.dtype).removeprefix('torch.')} ({sizes})"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
