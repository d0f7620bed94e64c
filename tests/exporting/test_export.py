"""`ganglion.export`: all of it or nothing, and nothing replaced unless asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ganglion
from ganglion.errors import ExportError, RunError, StorageError
from ganglion.exporting import export as module
from untrained_models import untrained_model


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_several_files_are_written_in_one_call_and_each_is_described(tmp_path: Path) -> None:
    written = ganglion.export(
        untrained_model(given="classes"), torchscript=tmp_path / "a" / "g.pt", safetensors=tmp_path / "g.safetensors"
    )
    assert files_in(tmp_path) == ["a/g.pt", "g.safetensors"]
    assert [file.size_bytes for file in written] == [file.path.stat().st_size for file in written]
    first = written[0].text()
    assert "TorchScript, generator, z (N, 6), labels (N), truncation (1) to images uint8 (N, 16, 16, 3)" in first
    assert "largest difference from PyTorch over 64 latents: " in first
    assert written[1].agreement is None


def test_nothing_is_written_where_one_of_the_files_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bytes:
        raise ExportError("no")

    monkeypatch.setattr(module, "single_file_bytes", fails)
    with pytest.raises(ExportError, match="no"):
        ganglion.export(untrained_model(), torchscript=tmp_path / "g.pt", safetensors=tmp_path / "g.safetensors")
    assert files_in(tmp_path) == []


def test_a_file_that_is_there_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    path.write_text("mine")
    with pytest.raises(StorageError, match="already there.*--overwrite"):
        ganglion.export(untrained_model(), safetensors=path)
    assert path.read_text() == "mine"
    ganglion.export(untrained_model(), safetensors=path, overwrite=True)
    assert ganglion.load(path).sample(1).shape == (1, 16, 16, 3)


def test_what_is_asked_for_wrongly_is_refused_before_any_work(tmp_path: Path) -> None:
    model, file = untrained_model(), tmp_path / "x.pt"
    (tmp_path / "page").write_text("a file")
    (tmp_path / "folder").mkdir()
    for wanted, error, words in (
        ({}, ExportError, "nothing to write"),
        ({"script": tmp_path / "x.py"}, ExportError, "give --onnx"),
        ({"torchscript": file, "torch_export": file}, ExportError, "the same file"),
        ({"web": tmp_path / "page"}, StorageError, "is a file"),
        ({"onnx": tmp_path / "folder"}, StorageError, "is a folder"),
        ({"onnx": file, "output": "png"}, ValueError, "uint8 or float"),
    ):
        with pytest.raises(error, match=words):
            ganglion.export(model, **wanted)  # type: ignore[arg-type]
    assert files_in(tmp_path) == ["page"]


def test_a_generator_without_a_run_has_neither_recipe_nor_discriminator(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Unflatten(1, (3, 4, 4))).eval()
    model = ganglion.model_of(network, 6)
    assert ganglion.export(model, torchscript=tmp_path / "g.pt", output="float")[0].path.is_file()
    with pytest.raises(ExportError, match="needs the recipe of a run"):
        ganglion.export(model, safetensors=tmp_path / "g.safetensors")
    with pytest.raises(ExportError, match="no discriminator"):
        ganglion.export(model, torchscript=tmp_path / "h.pt", discriminator=True)
    with pytest.raises(ExportError, match="plain function"):
        ganglion.export(ganglion.model_of(lambda z: z, 6), torchscript=tmp_path / "h.pt")
    assert files_in(tmp_path) == ["g.pt"]


class OwnG(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 256), nn.LeakyReLU(0.2), nn.Linear(256, 256), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z).view(-1, 1, 16, 16)


class OwnD(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(256, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def test_networks_of_ones_own_are_exported_and_loaded_from_a_file(tmp_path: Path, cache: Path) -> None:
    g, d = OwnG(), OwnD()
    run = ganglion.train(
        "digits", recipe="dcgan", size=16, steps=2, run=tmp_path / "run", device="cpu", precision="32", batch=8, cache=cache,
        set={"latent.dim": 8, "training.tick_kimg": 0.04}, quiet=True, at_end=lambda run: None, generator=g, discriminator=d,
    )  # fmt: skip
    out = tmp_path / "out"
    ganglion.export(
        run,
        onnx=out / "g.onnx",
        safetensors=out / "g.safetensors",
        torch_export=out / "g.pt2",
        generator=g,
        discriminator=d,
    )
    assert files_in(out) == ["g-discriminator.onnx", "g-discriminator.pt2", "g.onnx", "g.pt2", "g.safetensors"]
    with pytest.raises(RunError, match="pass the module, as in ganglion.load"):
        ganglion.load(out / "g.safetensors")
    again, model = ganglion.load(out / "g.safetensors", generator=g), ganglion.load(run, generator=g)
    assert torch.equal(again.generate(again.latents(3)), model.generate(model.latents(3)))
