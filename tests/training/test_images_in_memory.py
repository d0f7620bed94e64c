"""Runs on images that a Python program holds, from training to the report."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.errors import DataError, RunError
from ganglion.recipe.resolve import resolve
from ganglion.runs.folder import default_run
from ganglion.training.check import check
from ganglion.training.train import train
from tiny import TINY

IMAGES = np.random.default_rng(3).integers(0, 256, (40, 16, 16, 3), np.uint8)
DEEP = np.random.default_rng(4).integers(0, 256, (40, 13, 16, 16), np.uint8)  # channels first
NAME = "array (40, 16, 16, 3) uint8, given in Python"


def tiny(images: Any, run: Path, cache: Path, **asked: Any) -> ganglion.Run:
    settings = {**TINY, **asked.pop("set", {})}
    options: dict[str, Any] = {"recipe": "dcgan", "steps": 10, "precision": "32", "device": "cpu", "quiet": True}
    return train(images, run=run, cache=cache, set=settings, **options | asked)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    """Ten steps on the array. Look, do not touch."""
    return tiny(IMAGES, tmp_path_factory.mktemp("memory") / "run", cache)


@pytest.fixture(scope="module")
def deep_run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    """Ten steps on 13 channels, of which others than the first three are shown."""
    place = tmp_path_factory.mktemp("memory") / "deep"
    return tiny(DEEP, place, cache, set={"data.shown_channels": [12, 0, 5], "augment.kind": "diffaugment"})


def weights(run: ganglion.Run) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(run.checkpoint("latest").glob("*.safetensors"))}


def test_the_recipe_says_what_the_images_were(run: ganglion.Run) -> None:
    assert run.recipe.data.source == NAME
    assert (run.recipe.data.size, run.recipe.data.channels) == ((16, 16), 3)


def test_the_same_array_goes_on_with_the_run_and_equals_one_long_run(
    tmp_path: Path, cache: Path, run: ganglion.Run
) -> None:
    shutil.copytree(run.path, tmp_path / "run")
    grown = tiny(IMAGES.copy(), tmp_path / "run", cache, steps=20)
    assert weights(grown) == weights(tiny(torch.from_numpy(IMAGES), tmp_path / "long", cache, steps=20))


def test_a_file_with_the_same_array_goes_on_with_the_run(tmp_path: Path, cache: Path, run: ganglion.Run) -> None:
    shutil.copytree(run.path, tmp_path / "run")
    np.save(tmp_path / "x.npy", IMAGES)
    assert tiny(tmp_path / "x.npy", tmp_path / "run", cache, steps=12).records()[-1]["step"] == 12


def test_an_array_with_a_changed_pixel_is_another_run(cache: Path, run: ganglion.Run) -> None:
    changed = IMAGES.copy()
    changed[0, 0, 0, 0] ^= 1
    with pytest.raises(RunError, match=r"images of array .* have changed since the run in .* began"):
        tiny(changed, run.path, cache)


def test_a_command_line_cannot_go_on_with_it_and_says_so_in_one_sentence(cache: Path, run: ganglion.Run) -> None:
    with pytest.raises(DataError) as refusal:
        tiny(None, run.path, cache)
    assert f"was trained on {NAME}, which no command line can name: call ganglion.train with the same images" in str(
        refusal.value
    )
    assert "\n" not in str(refusal.value)
    with pytest.raises(DataError, match="which cannot be read again: call ganglion.train with the same images"):
        tiny(None, run.path, cache, recipe=run.recipe_path)
    with pytest.raises(DataError, match="which cannot be read again: call ganglion.train with the same images"):
        tiny(NAME, run.path, cache)


def test_a_run_on_a_named_source_says_its_name_where_none_is_given(cache: Path, tiny_run: ganglion.Run) -> None:
    with pytest.raises(DataError, match="no source of images was named; .* was trained on digits: name it again"):
        tiny(None, tiny_run.path, cache)


def test_samples_need_no_images(run: ganglion.Run) -> None:
    assert ganglion.load(run).sample(3).shape == (3, 16, 16, 3)


def test_the_report_finds_the_packed_images_and_says_where_they_are_not_at_hand(
    tmp_path: Path, cache: Path, run: ganglion.Run
) -> None:
    page = ganglion.write_report(run, tmp_path / "a.html", cache).read_text()
    assert "images are not available" not in page
    assert "Samples and their nearest real images" in page
    assert "ganglion.train(images, recipe=" in page
    bare = ganglion.write_report(run, tmp_path / "b.html", tmp_path / "empty").read_text()
    assert "images are not available" in bare


def test_scores_of_the_run_find_the_packed_images_too(cache: Path, run: ganglion.Run) -> None:
    asked: dict[str, Any] = {"n": 40, "features": "pixels", "cache": cache, "quiet": True, "device": "cpu"}
    own = ganglion.evaluate(run.path, **asked)
    assert own.real.name == f"{NAME}, as it was packed"
    named = ganglion.evaluate(run.path, IMAGES, **asked)
    assert named.scores == own.scores


def test_images_in_memory_are_checked_before_training(cache: Path) -> None:
    found = check(
        (IMAGES, list("ab" * 20)), recipe="dcgan", device="cpu", cache=cache, quiet=True, seconds=0.05, set=TINY
    )
    assert found.images == 40
    with pytest.raises(DataError, match="is empty"):
        check(IMAGES[:0], recipe="dcgan", device="cpu", cache=cache, quiet=True)


def test_labels_make_a_conditional_run(tmp_path: Path, cache: Path) -> None:
    labelled = tiny((IMAGES, list("ab" * 20)), tmp_path / "run", cache, set={"data.conditional": True})
    assert labelled.recipe.data.classes == ("a", "b")
    assert ganglion.load(labelled).sample(2, label="b").shape == (2, 16, 16, 3)


def test_auto_settles_a_recipe_for_an_array(tmp_path: Path, cache: Path) -> None:
    chosen = tiny(IMAGES, tmp_path / "run", cache, recipe="auto", steps=2)
    assert chosen.recipe.data.source == NAME
    assert chosen.recipe.name != "auto"


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        (NAME, "array-fast-16"),
        ("FashionMNIST (60000 items), given in Python", "FashionMNIST-fast-16"),
        ("datasets.Dataset (9 rows), given in Python", "datasets-fast-16"),
    ],
)
def test_the_default_run_folder_is_named_by_the_kind_of_images(name: str, folder: str) -> None:
    assert default_run(resolve("fast", {"data.source": name, "data.size": 16})) == Path("runs") / folder


def test_the_example_of_the_documentation_runs(tmp_path: Path, cache: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    promised = re.findall(r"^print\(.*?\)  # (.*)$", code, re.MULTILINE)
    world = {**os.environ, "GANGLION_CACHE": str(cache), "PYTHONPATH": str(Path(ganglion.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=world, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == promised
    assert len(promised) == 2


# Many channels


def test_many_channels_are_learnt_sampled_and_saved_whole(tmp_path: Path, deep_run: ganglion.Run) -> None:
    from ganglion.cli.draw import _write_samples as _write

    model = ganglion.load(deep_run)
    images = model.sample(64, seed=0)
    assert images.shape == (64, 16, 16, 13)
    _write(iter([images]), 64, tmp_path / "x.npy", model.shown_channels)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), images)
    _write(iter([images]), 64, tmp_path / "x", model.shown_channels)
    with Image.open(tmp_path / "x" / "000007.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), images[7][..., [12, 0, 5]])


def test_every_sheet_shows_the_chosen_channels(deep_run: ganglion.Run) -> None:
    from ganglion.pictures.sheets import sheet

    images = ganglion.load(deep_run, checkpoint="latest").sample(64, seed=0)
    with Image.open(deep_run.fixed_samples / "00000010.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), sheet(images[..., [12, 0, 5]]))


def test_many_channels_reach_the_report_and_the_scores(tmp_path: Path, cache: Path, deep_run: ganglion.Run) -> None:
    page = ganglion.write_report(deep_run, tmp_path / "a.html", cache).read_text()
    assert "Samples and their nearest real images" in page
    asked: dict[str, Any] = {"n": 40, "features": "random", "cache": cache, "quiet": True, "device": "cpu"}
    found = ganglion.evaluate(deep_run.path, DEEP, neighbours=tmp_path / "near.png", **asked)
    assert found.real.channels == 13
    with Image.open(tmp_path / "near.png") as picture:
        assert picture.mode == "RGB"


def test_which_channels_are_shown_may_change_when_a_run_goes_on(
    tmp_path: Path, cache: Path, deep_run: ganglion.Run
) -> None:
    shutil.copytree(deep_run.path, tmp_path / "run")
    settings = {"data.shown_channels": [1, 1, 1], "augment.kind": "diffaugment"}
    grown = tiny(DEEP, tmp_path / "run", cache, steps=12, set=settings)
    assert grown.recipe.data.shown_channels == (1, 1, 1)


def test_shown_channels_that_are_not_there_are_refused_before_training(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(ganglion.RecipeError, match="shown_channels contains channel 13; there are 0 to 12"):
        tiny(DEEP, tmp_path / "run", cache, set={"data.shown_channels": [0, 1, 13]})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("recipe", ["fast", "small-data", "r3gan", "sngan"])
@pytest.mark.parametrize("channels", [2, 5])
def test_every_kind_of_recipe_takes_any_number_of_channels(
    tmp_path: Path, cache: Path, recipe: str, channels: int
) -> None:
    narrow = {"generator.width": 4, "discriminator.width": 4, "training.batch": 8}
    done = tiny(DEEP[:, :channels], tmp_path / "run", cache, recipe=recipe, steps=2, set=narrow)
    assert ganglion.load(done).sample(2).shape == (2, 16, 16, channels)
