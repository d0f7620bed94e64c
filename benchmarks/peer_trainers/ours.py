"""`ganglion train` in this process, its clock the process's CPU seconds; scanning and packing are part of the budget."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ganglion
from ganglion.errors import TrainingFailed
from ganglion.latent.model import trained_model
from ganglion.recipe.resolve import update
from ganglion.training import train
from peer_trainers.job import Job
from peer_trainers.meter import Meter

__all__ = ["train_ours"]


def train_ours(recipe: str, job: Job, meter: Meter) -> None:
    os.sched_getaffinity = lambda pid: {0}  # type: ignore[assignment]  # no worker processes: their CPU time would not count
    in_the_loop(meter)
    meter.start(stop=False)
    with suppress(TrainingFailed):  # a run that ends failing is scored like any other
        ganglion.train(
            job.images, recipe=recipe, size=job.size, minutes=meter.budget / 60, seed=job.seed, run=job.work / "run",
            cache=job.work / "cache", quiet=True, at_end=lambda run: None,
        )  # fmt: skip


def in_the_loop(meter: Meter) -> None:
    """The loop's clock is the meter's, its budget what scanning and packing have left, its averaged G what is sampled."""
    train_loop = train.train_loop

    def metered(fabric: Any, recipe: Any, batches: Any, players: Any, progress: Any, *rest: Any, **own: Any) -> bool:
        left = max(0.1, meter.budget - meter.elapsed())
        model = trained_model(players.ema, recipe, fabric.device)
        seeds = iter(range(10**6))

        def sample(n: int) -> NDArray[np.uint8]:
            return model.sample(n, seed=next(seeds))

        meter.watch(players.optimizer_g, sample, lambda: progress.images)
        settled = update(recipe, training__minutes=left / 60)
        return train_loop(fabric, settled, batches, players, progress, *rest, clock=meter.elapsed, **own)

    train.train_loop = metered
