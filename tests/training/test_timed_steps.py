"""Images a second of a training's steps: what is counted of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from lightning_fabric import Fabric

from ganglion.errors import TrainingFailed
from ganglion.platform.interrupt import Interrupt
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import Request
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.own import Own
from ganglion.training.prepare import batches_of, prepare_run
from ganglion.training.timed_steps import images_per_sec
from tiny import TINY


class Clock:
    """Goes on by so many seconds in the first step, and by one in each other; it is read twice after a step of the warm-up."""

    def __init__(self, progress: TrainingProgress, first: float) -> None:
        self.progress, self.first = progress, first

    def __call__(self) -> float:
        return self.first + self.progress.step - 1 if self.progress.step else 0.0


def measured(cache: Path, first: float, seconds: float, **more: object) -> tuple[float, int]:
    request: Request = {"recipe": "dcgan", "size": 16, "kimg": 10, "precision": "32", "set": {**TINY, **more}}
    prepared = prepare_run("digits", request, Screen(quiet=True), "cpu", 1, cache)
    fabric, progress = Fabric(accelerator="cpu", devices=1), TrainingProgress()
    clock = Clock(progress, first)
    speed = images_per_sec(fabric, prepared.recipe, batches_of(prepared), Own(), seconds, None, clock, progress)
    return speed / prepared.recipe.training.batch, progress.step


def test_the_first_step_is_not_counted(cache: Path) -> None:
    assert measured(cache, first=4, seconds=6) == (1, 7)


def test_of_a_training_with_long_steps_the_first_one_is_counted(cache: Path) -> None:
    assert measured(cache, first=20, seconds=6) == (pytest.approx(1 / 20), 1)


def test_an_interrupt_before_a_step_leaves_nothing_to_tell(cache: Path) -> None:
    request: Request = {"recipe": "dcgan", "size": 16, "precision": "32", "set": TINY}
    prepared = prepare_run("digits", request, Screen(quiet=True), "cpu", 1, cache)
    fabric, asked = Fabric(accelerator="cpu", devices=1), Interrupt(also=lambda: True)
    assert images_per_sec(fabric, prepared.recipe, batches_of(prepared), Own(), 1.0, asked) == 0


def test_numbers_that_are_not_finite_fail_as_in_the_run(cache: Path) -> None:
    rates = {f"optimizer.{player}.lr": 1e38 for player in ("generator", "discriminator")}
    with pytest.raises(TrainingFailed, match="stopped being finite"):
        measured(cache, first=1, seconds=6, **rates)
