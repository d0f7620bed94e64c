"""A generator in one file: equal images, no run folder, nothing of the machine, and no damage unnoticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import ganglion
from ganglion.errors import CheckpointError, RunError
from ganglion.exporting.export import export
from ganglion.latent.model import discriminator_of
from ganglion.latent.single_file import SingleFile, read_single_file, single_file_bytes, without_paths
from ganglion.recipe.resolve import flatten
from untrained_models import recipe_of, untrained_model

KINDS: list[dict[str, Any]] = [
    {"family": "dcgan", "channels": 4, "given": "classes"},
    {"family": "resnet", "size": "16x24", "given": "attributes"},
    {"family": "skip", "channels": 1, "latent__prior": "sphere"},
    {"family": "r3gan"},
]


@pytest.mark.parametrize("asked", KINDS, ids=lambda asked: str(asked["family"]))
def test_a_file_draws_the_models_images_and_labels(asked: dict[str, Any], tmp_path: Path) -> None:
    model = untrained_model(**asked)
    export(model, safetensors=tmp_path / "g.safetensors")
    again = ganglion.load(tmp_path / "g.safetensors")
    assert np.array_equal(again.sample(20, seed=3), model.sample(20, seed=3))
    assert (again.classes, again.attributes) == (model.classes, model.attributes)
    assert discriminator_of(again) is None


def test_equal_contents_give_equal_bytes() -> None:
    model = untrained_model(given="attributes")
    content = SingleFile(model.recipe, "00000020", model.generator.state_dict(), rows=model.training_rows)
    assert len({single_file_bytes(content) for _ in range(8)}) == 1


def test_a_run_becomes_a_file_with_its_discriminator(tiny_run: ganglion.Run, tmp_path: Path) -> None:
    ganglion.export(tiny_run, safetensors=tmp_path / "g.safetensors", discriminator=True, checkpoint=20)
    model, again = ganglion.load(tiny_run, 20), ganglion.load(tmp_path / "g.safetensors")
    images = model.generate(model.latents(4))
    assert torch.equal(again.generate(again.latents(4)), images)
    d, d_again = discriminator_of(model), discriminator_of(again)
    assert d is not None
    assert d_again is not None
    assert torch.equal(d_again(images), d(images))

    for name in ("best", "latest", "20", 20, "00000020"):
        assert ganglion.load(tmp_path / "g.safetensors", name).latent == model.latent
    with pytest.raises(CheckpointError, match="holds one checkpoint, of step 00000020, and not 30"):
        ganglion.load(tmp_path / "g.safetensors", "30")
    ganglion.export(tmp_path / "g.safetensors", safetensors=tmp_path / "again.safetensors")
    assert read_single_file(tmp_path / "again.safetensors").checkpoint == "00000020"


def test_nothing_in_a_file_tells_of_this_machines_folders(tmp_path: Path) -> None:
    model = untrained_model(
        data__source="/home/anna/secret/photos/",
        data__data_dir="/home/anna",
        training__start_from="/srv/runs/first:best",
    )
    export(model, safetensors=tmp_path / "g.safetensors")
    content = (tmp_path / "g.safetensors").read_bytes()
    assert b"anna" not in content
    assert b"srv" not in content
    flat = flatten(read_single_file(tmp_path / "g.safetensors").recipe)
    assert (flat["data.source"], flat["training.start_from"]) == ("photos", "first:best")


@pytest.mark.parametrize(
    ("source", "kept"),
    [("digits", "digits"), ("hf:ann/cats", "hf:ann/cats"), (r"C:\Users\Ann\cats", "cats"), ("/", None), (None, None)],
)
def test_of_a_source_the_last_name_is_kept(source: str | None, kept: str | None) -> None:
    assert without_paths(recipe_of(data__source=source)).data.source == kept


def test_of_a_file_of_labels_the_name_is_kept() -> None:
    assert without_paths(recipe_of(data__labels="/home/anna/clinic/labels.csv")).data.labels == "labels.csv"
    assert without_paths(recipe_of()).data.labels == "auto"


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def foreign(path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, path)


def no_safetensors(path: Path) -> None:
    path.write_text("hello")


def missing(path: Path) -> None:
    path.unlink()


WRONG = {damaged: "is damaged", cut: "cannot be read", foreign: "not a generator of ours", no_safetensors: "cannot be read",
         missing: "there is no file"}  # fmt: skip


@pytest.mark.parametrize("change", WRONG, ids=lambda change: change.__name__)
def test_a_file_that_is_not_whole_or_not_ours_is_named(change: Any, tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    export(untrained_model(), safetensors=path)
    change(path)
    with pytest.raises(CheckpointError, match=WRONG[change]) as raised:
        ganglion.load(path)
    assert str(path) in str(raised.value)


def test_a_file_of_own_networks_needs_the_module(tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    export(untrained_model(), safetensors=path)
    with pytest.raises(RunError, match="does not hold networks of your own"):
        ganglion.load(path, generator=torch.nn.Linear(2, 2))
