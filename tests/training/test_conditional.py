"""One generator for several classes, from a folder of classes to a picture of the class that was asked for."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.data.batches import Batches
from ganglion.data.prepare import prepare
from ganglion.errors import DataError
from ganglion.networks.build import build_generator
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Recipe
from ganglion.training.outputs import Snapshots, TrainingProbe
from ganglion.training.players import build_players
from ganglion.training.train import train
from tiny import TINY


def folder_of(path: Path, classes: dict[str, int], count: int | dict[str, int] = 8) -> Path:
    """Flat pictures: each class has its shade, and `count` of them, or its own."""
    random = np.random.default_rng(0)
    for name, shade in classes.items():
        (path / name).mkdir(parents=True, exist_ok=True)
        for i in range(count if isinstance(count, int) else count[name]):
            pixels = np.clip(shade + random.integers(-9, 9, (16, 16)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(path / name / f"{i}.png")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    source = folder_of(tmp_path_factory.mktemp("shades"), {"dark": 40, "light": 215})
    return train(
        source, recipe="fast", size=16, steps=400, run=tmp_path_factory.mktemp("runs") / "shades", cache=cache, quiet=True,
        device="cpu", precision="32", set={**TINY, "generator.width": 8, "discriminator.width": 8, "data.conditional": True},
    )  # fmt: skip


def test_samples_of_a_class_look_like_that_class(run: ganglion.Run) -> None:
    model = ganglion.load(run, "latest")
    assert model.classes == ("dark", "light")
    dark, light = model.sample(32, label="dark"), model.sample(32, label=1)
    assert dark.mean() + 60 < light.mean()


def test_a_class_that_is_not_there_is_named_with_those_that_are(run: ganglion.Run) -> None:
    with pytest.raises(ValueError, match="no class 'grey'; classes are dark, light"):
        ganglion.load(run).sample(1, label="grey")


def test_without_a_label_classes_are_drawn_and_the_first_samples_do_not_depend_on_how_many(run: ganglion.Run) -> None:
    model = ganglion.load(run)
    labels = model.labels(200, seed=3)
    assert labels is not None
    assert 60 < int(labels.sum()) < 140
    assert np.array_equal(model.sample(20, seed=3)[:5], model.sample(5, seed=3))


def test_the_recipe_remembers_the_classes(run: ganglion.Run) -> None:
    assert run.recipe.data.classes == ("dark", "light")
    assert run.recipe.data.class_counts == (8, 8)


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    """Nine dark pictures to a light one, and 20 of the 400 kept from training."""
    folder = tmp_path_factory.mktemp("uneven")
    source = folder_of(folder / "images", {"dark": 40, "light": 215}, {"dark": 360, "light": 40})
    return train(
        source, recipe="improved", size=16, steps=1, run=folder / "run", cache=cache, quiet=True, device="cpu",
        precision="32", set={**TINY, "data.conditional": True},
    )  # fmt: skip


def share_of_light(labels: torch.Tensor | None) -> float:
    assert labels is not None
    return float(labels.double().mean())


def test_the_recipe_counts_the_training_images_of_each_class(uneven: ganglion.Run, cache: Path) -> None:
    recipe = uneven.recipe
    batches = batches_of(recipe, cache)
    seen = batches.pick(batches.seen).labels
    assert seen is not None
    assert len(seen) == 380
    assert recipe.data.class_counts == tuple(torch.bincount(seen).tolist())


def batches_of(recipe: Recipe, cache: Path) -> Batches:
    store = prepare(recipe.data, cache, Screen(quiet=True))
    return Batches(store, recipe.training.seed, torch.device("cpu"), True, recipe.data.held_out_images or 0)


def test_classes_are_drawn_as_often_as_training_saw_them(uneven: ganglion.Run, cache: Path) -> None:
    recipe, model = uneven.recipe, ganglion.load(uneven)
    batches, cpu = batches_of(recipe, cache), torch.device("cpu")
    assert recipe.data.class_counts is not None
    light = recipe.data.class_counts[1] / 380
    probe = TrainingProbe(recipe, batches, build_players(recipe, cpu), cpu, nullcontext)
    snapshots = Snapshots(recipe, batches, SimpleNamespace(save_sheet=None), cpu)  # type: ignore[arg-type]
    drawn = {
        "samples": model.labels(5000, seed=3), "scores": snapshots.scored_labels, "checks": probe.samples().labels,
        "reference": build_generator(recipe).reference_labels,
    }  # fmt: skip
    for what, labels in drawn.items():
        assert labels is not None
        assert share_of_light(labels) == pytest.approx(light, abs=4 * (0.09 / len(labels)) ** 0.5), what
    assert share_of_light(snapshots.sheet_labels) == 0.5  # for a person, as many of each


def test_samples_without_a_label_are_of_the_classes_that_are_drawn(uneven: ganglion.Run) -> None:
    """They are what `ganglion evaluate` measures."""
    model = ganglion.load(uneven)
    labels = model.labels(64, seed=1)
    assert np.array_equal(model.sample(64, seed=1), model.pixels(model.latents(64, seed=1), labels))


def test_an_unconditional_model_knows_no_class(tiny_run: ganglion.Run) -> None:
    model = ganglion.load(tiny_run)
    assert model.classes == ()
    assert model.labels(3) is None
    with pytest.raises(ValueError, match="has no classes"):
        model.sample(1, label="dark")


def asked(source: Path, tmp_path: Path, cache: Path) -> ganglion.Run:
    return train(
        source, recipe="dcgan", size=16, steps=1, run=tmp_path / "run", cache=cache, quiet=True,
        set={**TINY, "data.conditional": True},
    )  # fmt: skip


def test_images_without_classes_are_refused(tmp_path: Path, cache: Path) -> None:
    source = folder_of(tmp_path / "flat", {".": 100}, count=20)
    with pytest.raises(DataError, match=r"20 of 20 have none: put each class into a folder of its own, two folders"):
        asked(source, tmp_path, cache)


def test_more_classes_than_images_could_teach_are_refused(tmp_path: Path, cache: Path) -> None:
    source = folder_of(tmp_path / "many", {f"class{i}": 10 * i for i in range(20)}, count=1)
    with pytest.raises(DataError, match="20 classes and 20 images"):
        asked(source, tmp_path, cache)
