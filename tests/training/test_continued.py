"""What a command may change of a run that is there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.errors import RunError
from ganglion.recipe.auto import BY_DEVICE
from ganglion.recipe.resolve import BUDGETS, resolve
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.continued import continued
from ganglion.training.own import Own
from ganglion.training.prepare import PreparedRun
from ganglion.training.train import _still_stopped, train
from sick_runs import weights
from tiny import TINY


def asked(recipe: Recipe, left_to_auto: frozenset[str] = frozenset(), wanted: Recipe | None = None) -> PreparedRun:
    return PreparedRun(wanted or recipe, recipe, None, torch.device("cpu"), [], left_to_auto)  # type: ignore[arg-type]


def recipe(name: str = "dcgan", **settings: Any) -> Recipe:
    return resolve(
        name, {"data.source": "digits", **{key.replace("__", "."): value for key, value in settings.items()}}
    )


BY_MACHINE = frozenset(BUDGETS + BY_DEVICE)


@pytest.fixture
def run(tmp_path: Path) -> ganglion.Run:
    made = ganglion.Run(tmp_path / "run")
    made.path.mkdir()
    made.begin(recipe(training__kimg=10, training__precision="32", training__micro_batch=4), {})
    return made


def test_a_new_run_has_what_was_asked_for(tmp_path: Path) -> None:
    said: list[str] = []
    assert continued(tmp_path, asked(recipe()), tmp_path, said.append) == recipe()
    assert said == []


@pytest.mark.parametrize("option", ["treat", "stop_when_failing", "stop_when_done", "deterministic"])
def test_options_that_change_no_step_so_far_may_be_added(run: ganglion.Run, tmp_path: Path, option: str) -> None:
    said: list[str] = []
    new = recipe(training__kimg=10, training__precision="32", training__micro_batch=4, **{f"training__{option}": True})
    assert continued(run.path, asked(new), tmp_path, said.append) == new
    assert said == [f"Changed: training.{option}: false -> true"]


def test_what_was_left_open_stays_as_it_was(run: ganglion.Run, tmp_path: Path) -> None:
    wanted = recipe(training__kimg=20)
    settled = recipe(training__kimg=20, training__precision="bf16")
    said: list[str] = []
    found = continued(run.path, asked(settled, left_to_auto=BY_MACHINE, wanted=wanted), tmp_path, said.append)
    assert found == run.recipe
    assert said[0] == "auto: as the run began, training.kimg 10"


def test_widths_that_auto_took_on_another_device_stay_and_those_that_are_asked_for_are_refused(tmp_path: Path) -> None:
    on_gpu = recipe("fast", generator__width=64, discriminator__width=64)
    run = ganglion.Run(tmp_path / "run")
    run.path.mkdir()
    run.begin(on_gpu, {})
    said: list[str] = []
    here = recipe("fast")
    assert continued(run.path, asked(here, BY_MACHINE), tmp_path, said.append) == on_gpu
    assert said == ["auto: as the run began, discriminator.width 64, generator.width 64"]
    with pytest.raises(RunError, match="generator.width: 64 -> 32"):
        continued(run.path, asked(here, BY_MACHINE - {"generator.width"}), tmp_path, said.append)


def test_another_recipe_is_refused_with_what_differs_and_what_to_do(run: ganglion.Run, tmp_path: Path) -> None:
    other = recipe(training__kimg=10, training__precision="32", training__micro_batch=4, training__batch=32)
    with pytest.raises(RunError, match=r"(?s)training.batch: 64 -> 32.*--fresh"):
        continued(run.path, asked(other), tmp_path, lambda text: None)


@pytest.mark.parametrize(
    ("stopped", "by"),
    [("done: no better score", "stop_when_done"), ("the verdict is failing: x", "stop_when_failing")],
)
def test_only_the_option_that_stopped_a_run_keeps_it_stopped(stopped: str, by: str) -> None:
    for option in ("stop_when_done", "stop_when_failing"):
        recipe = resolve("fast", {f"training.{option}": True})
        job: Any = SimpleNamespace(recipe=recipe, own=Own())
        assert _still_stopped(TrainingProgress(stopped=stopped), job) == (option == by)


# Other images


def photos(folder: Path, count: int = 24) -> Path:
    folder.mkdir(parents=True)
    for seed in range(count):
        page = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(page).save(folder / f"{seed:02d}.png")
    return folder


def trained(source: Path, run: Path, cache: Path, steps: int = 10, **asked: Any) -> ganglion.Run:
    settings: dict[str, Any] = {"recipe": "dcgan", "size": 16, "precision": "32", "set": TINY} | asked
    return train(source, run=run, steps=steps, device="cpu", threads=1, quiet=True, cache=cache, **settings)


def refusal(source: Path, run: Path, cache: Path, **asked: Any) -> str:
    with pytest.raises(RunError) as refused:
        trained(source, run, cache, **asked)
    return str(refused.value)


def packed_path(text: str) -> Path:
    found = re.search(r"  (\S+) as SOURCE and --run (\S+): the run resumes", text)
    assert found
    return Path(found[1])


def test_a_run_whose_folder_has_changed_resumes_on_the_packed_images_that_it_began_with(tmp_path: Path) -> None:
    source, cache = photos(tmp_path / "photos"), tmp_path / "cache"
    whole = trained(source, tmp_path / "whole", cache, steps=20)
    run = trained(source, tmp_path / "run", cache, steps=10)
    (source / "new.png").write_bytes((source / "00.png").read_bytes())
    told = refusal(source, run.path, cache, steps=20)
    assert f"the images of {source} have changed since the run in {run.path} began: 24 then, 25 now" in told
    assert f"--from {run.path} --run NEW" in told
    assert "--fresh" in told
    assert "another recipe" not in told
    assert run.recipe.data.content not in told  # type: ignore[operator]
    resumed = trained(packed_path(told), run.path, cache, steps=20)
    assert resumed.records()[-1]["step"] == 20
    assert weights(resumed.path) == weights(whole.path)


@pytest.mark.parametrize("change", ["renamed", "deleted"])
def test_a_file_that_was_renamed_or_deleted_is_a_change_of_the_images(tmp_path: Path, change: str) -> None:
    source, cache = photos(tmp_path / "photos"), tmp_path / "cache"
    run = trained(source, tmp_path / "run", cache, steps=2)
    if change == "renamed":
        (source / "00.png").rename(source / "zz.png")
    else:
        (source / "00.png").unlink()
    told = refusal(source, run.path, cache, steps=2)
    assert f"24 then, {24 if change == 'renamed' else 23} now" in told
    assert packed_path(told).is_dir()
    new = trained(source, tmp_path / "new", cache, steps=2, recipe="auto", start_from=str(run.path))
    assert new.recipe.data.content != run.recipe.data.content


def test_another_folder_of_the_same_name_is_told_with_both_places_and_all_else_that_differs(tmp_path: Path) -> None:
    first, other, cache = photos(tmp_path / "a" / "photos"), photos(tmp_path / "b" / "photos", 30), tmp_path / "cache"
    run = trained(first, tmp_path / "run", cache, steps=2)
    shutil.rmtree(cache)
    told = refusal(other, run.path, cache, steps=2, batch=16)
    assert f"began with other images: 24 from {first} then, 30 from {other} now" in told
    assert "no longer in the cache; with them back in place it resumes" in told
    assert "as SOURCE" not in told
    assert "The recipe differs too:\n  training.batch: 8 -> 16" in told


def test_an_edited_label_is_told_as_one(tmp_path: Path) -> None:
    source, cache = photos(tmp_path / "photos"), tmp_path / "cache"
    rows = "\n".join(["file,kind", *(f"{seed:02d}.png,{'ab'[seed % 2]}" for seed in range(24))])
    (source / "labels.csv").write_text(rows)
    run = trained(source, tmp_path / "run", cache, steps=2)
    (source / "labels.csv").write_text(rows.replace("00.png,a", "00.png,b"))
    told = refusal(source, run.path, cache, steps=2)
    assert f"the labels of {source} have changed since the run in {run.path} began, of the same 24 images" in told
    assert trained(packed_path(told), run.path, cache, steps=4).records()[-1]["step"] == 4
