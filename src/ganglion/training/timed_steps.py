"""The speed of a training's steps without records: for `check`, the budget that `auto` takes, and the speed-up of processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from lightning_fabric import Fabric

from ganglion.data.batches import Batches
from ganglion.platform.interrupt import Interrupt
from ganglion.recipe.resolve import update
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.loop import train_loop
from ganglion.training.own import Own
from ganglion.training.prepare import build_first_players
from ganglion.training.replay import WARM_UP, captures, replay_for

__all__ = ["images_per_sec", "kinds_recur"]

SLOW_STEP_SEC = 5.0  # a first step that takes longer is the measurement itself
AHEAD = 16  # steps that a device may be behind
NEVER = 10**9


def images_per_sec(
    fabric: Fabric, recipe: Recipe, batches: Batches, own: Own, seconds: float, interrupt: Interrupt | None = None,
    clock: Callable[[], float] = time.monotonic, progress: TrainingProgress | None = None,
) -> float:  # fmt: skip
    """Real images a second over so many seconds of steps of one process, with CUDA graphs where the run has them.

    The first steps pay for what is made once and are not counted, unless one takes longer than 5 seconds. `interrupt` ends it
    earlier; before a step it is 0. `progress` is where the steps stand. Raises TrainingFailed.
    """
    plain = update(
        recipe, training__progressive=0, training__tick_kimg=NEVER, training__snapshot_kimg=NEVER, training__steps=NEVER,
        training__minutes=None, training__kimg=None,
    )  # fmt: skip
    own, progress = replace(own, callback=None), progress or TrainingProgress()
    players, asked = build_first_players(recipe, batches, own), interrupt or Interrupt()
    watch = _Watch(fabric, _steps_to_warm_up(recipe, fabric, own), seconds, progress, asked, clock)
    replay = replay_for(recipe, fabric.device, 1, own)
    train_loop(fabric, plain, batches, players, progress, None, Interrupt(also=watch), own=own, replay=replay)
    return watch.images_per_sec


class _Watch:
    """Asked whether to stop before the first step and after each: when so many seconds have passed after the warm-up."""

    def __init__(
        self, fabric: Fabric, warm_up: int, seconds: float, progress: TrainingProgress, asked: Interrupt,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._device, self._warm_up, self._seconds = fabric.device, warm_up, seconds
        self._progress, self._asked, self._clock = progress, asked, clock
        self._since, self._images = clock(), 0
        self.images_per_sec = 0.0

    def __call__(self) -> bool:
        progress = self._progress
        if progress.step and (progress.step <= self._warm_up or progress.step % AHEAD == 0):
            self._wait()
        took, images = self._clock() - self._since, progress.images - self._images
        if images:
            self.images_per_sec = images / max(took, 1e-9)
        if progress.step <= self._warm_up and took <= SLOW_STEP_SEC:
            self._since, self._images = self._clock(), progress.images
            return self._asked.wanted
        return self._asked.wanted or took >= self._seconds

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def _steps_to_warm_up(recipe: Recipe, fabric: Fabric, own: Own) -> int:
    """One; where steps are captured, until every kind of them is."""
    if not captures(recipe, fabric.device, 1, own):
        return 1
    return 1 + (WARM_UP + 1) * kinds_recur(recipe)


def kinds_recur(recipe: Recipe) -> int:
    """Steps after which all kinds of steps have come: as many as the laziest penalty needs."""
    updates = max((penalty.interval_updates for penalty in recipe.objective.penalties), default=1)
    return max(1, math.ceil(updates / recipe.balance.d_steps))
