"""How long a run is, the learning rate's shape over that length, and when it stops before its end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ganglion.doctor.verdict import Verdict
from ganglion.recipe.parts import Optimizers, Schedule
from ganglion.recipe.schema import Recipe, Training
from ganglion.recipe.size import Size, chain_to, first_image_doublings
from ganglion.runs.checkpoints import TrainingProgress

__all__ = [
    "DONE",
    "SCHEDULES",
    "Budget",
    "can_be_extended",
    "halvings_at",
    "lr_scale",
    "reason_to_stop",
    "sizes_of",
    "steps_for",
]

PATIENCE = 1 / 3  # of a run without a better score after which it is done
LEAST_KIMG = 20  # of a run that can be done
LEAST_SCORES = 2  # without a better one
DONE = "done"


@dataclass(frozen=True)
class Budget:
    """A number of steps or of seconds; the other is None."""

    steps: int | None
    seconds: float | None

    @classmethod
    def of(cls, recipe: Recipe) -> Budget:
        training = recipe.training
        if training.minutes is not None:
            return cls(None, training.minutes * 60)
        if training.steps is not None:
            return cls(training.steps, None)
        return cls(steps_for(training.kimg or 0, training.batch * recipe.balance.d_steps), None)

    def fraction(self, step: int, seconds: float) -> float:
        """Share of the budget that is used, in [0, 1]."""
        used = step / self.steps if self.steps is not None else seconds / (self.seconds or 1)
        return min(1.0, used)


def steps_for(kimg: float, batch: int) -> int:
    """Steps of `batch` images that show at least `kimg` thousand images; at least 1."""
    return max(1, math.ceil(round(kimg * 1000, 6) / batch))


SCHEDULES: dict[Schedule, Callable[[float], float]] = {
    "constant": lambda fraction: 1.0,
    "linear": lambda fraction: 1.0 - fraction,
    "cosine": lambda fraction: (1.0 + math.cos(math.pi * fraction)) / 2,
}


def lr_scale(settings: Optimizers, fraction: float, images: int) -> float:
    """Factor on the learning rates after `images` real images and `fraction` of the budget, in [0, 1]."""
    rise = min(1.0, images / (settings.warmup_kimg * 1000)) if settings.warmup_kimg else 1.0
    return rise * SCHEDULES[settings.schedule](fraction)


def halvings_at(recipe: Recipe, fraction: float) -> int:
    """How many times the images of a step are halved after `fraction` of the budget: fewer and fewer, in the end 0."""
    share, size = recipe.training.progressive, recipe.data.size
    chain = chain_to(size) if size else None
    if chain is None or fraction >= share or not recipe.training.grows:
        return 0
    smaller = chain.doublings - first_image_doublings(chain)
    return smaller - int(fraction / share * smaller)


def sizes_of(recipe: Recipe) -> list[Size]:
    """The sizes of the images that steps are made with, one after the other."""
    height, width = recipe.data.size or (0, 0)
    times = halvings_at(recipe, 0.0)
    return [(height >> halvings, width >> halvings) for halvings in range(times, -1, -1)]


def can_be_extended(recipe: Recipe) -> bool:
    """Whether a finished run goes on with a larger budget: nothing in it is a function of the share that is used."""
    return recipe.optimizer.schedule == "constant" and not recipe.training.grows


def reason_to_stop(training: Training, progress: TrainingProgress, verdict: Verdict) -> str | None:
    """Why the run ends before its budget, as text; None while it continues."""
    if training.stop_when_failing and verdict.state == "failing":
        return f"the verdict is failing: {', '.join(f.code for f in verdict.findings if f.severity == 'failing')}"
    kimg = progress.images / 1000
    enough = kimg >= LEAST_KIMG and progress.scores_since >= LEAST_SCORES
    if training.stop_when_done and progress.lowest_kimg is not None and enough:
        waited = kimg - progress.lowest_kimg
        if waited >= PATIENCE * kimg:
            return f"{DONE}: no better score for {waited:,.0f} of {kimg:,.0f} kimg"
    return None
