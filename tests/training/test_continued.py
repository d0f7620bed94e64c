"""What a command may change of a run that is there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import ganglion
from ganglion.errors import RunError
from ganglion.recipe.auto import BY_DEVICE
from ganglion.recipe.resolve import BUDGETS, resolve
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.continued import continued
from ganglion.training.own import Own
from ganglion.training.prepare import PreparedRun
from ganglion.training.train import _still_stopped


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
    assert continued(tmp_path, asked(recipe()), said.append) == recipe()
    assert said == []


@pytest.mark.parametrize("option", ["treat", "stop_when_failing", "stop_when_done", "deterministic"])
def test_options_that_change_no_step_so_far_may_be_added(run: ganglion.Run, option: str) -> None:
    said: list[str] = []
    new = recipe(training__kimg=10, training__precision="32", training__micro_batch=4, **{f"training__{option}": True})
    assert continued(run.path, asked(new), said.append) == new
    assert said == [f"Changed: training.{option}: false -> true"]


def test_what_was_left_open_stays_as_it_was(run: ganglion.Run) -> None:
    wanted = recipe(training__kimg=20)
    settled = recipe(training__kimg=20, training__precision="bf16")
    said: list[str] = []
    found = continued(run.path, asked(settled, left_to_auto=BY_MACHINE, wanted=wanted), said.append)
    assert found == run.recipe
    assert said[0] == "auto: training.kimg 10.0 instead, as when the run began"


def test_widths_that_auto_took_on_another_device_stay_and_those_that_are_asked_for_are_refused(tmp_path: Path) -> None:
    on_gpu = recipe("fast", generator__width=64, discriminator__width=64)
    run = ganglion.Run(tmp_path / "run")
    run.path.mkdir()
    run.begin(on_gpu, {})
    said: list[str] = []
    here = recipe("fast")
    assert continued(run.path, asked(here, BY_MACHINE), said.append) == on_gpu
    assert said == ["auto: discriminator.width 64; generator.width 64 instead, as when the run began"]
    with pytest.raises(RunError, match="generator.width: 64 -> 32"):
        continued(run.path, asked(here, BY_MACHINE - {"generator.width"}), said.append)


def test_another_recipe_is_refused_with_what_differs_and_what_to_do(run: ganglion.Run) -> None:
    other = recipe(training__kimg=10, training__precision="32", training__micro_batch=4, training__batch=32)
    with pytest.raises(RunError, match=r"(?s)training.batch: 64 -> 32.*--fresh"):
        continued(run.path, asked(other), lambda text: None)


@pytest.mark.parametrize(
    ("stopped", "by"),
    [("done: no better score", "stop_when_done"), ("the verdict is failing: x", "stop_when_failing")],
)
def test_only_the_option_that_stopped_a_run_keeps_it_stopped(stopped: str, by: str) -> None:
    for option in ("stop_when_done", "stop_when_failing"):
        recipe = resolve("fast", {f"training.{option}": True})
        job: Any = SimpleNamespace(recipe=recipe, own=Own())
        assert _still_stopped(TrainingProgress(stopped=stopped), job) == (option == by)
