"""What can be expected of a budget at a measured speed, and the budget that `auto` takes by it.

Both rest on `recipe/measured.py`; where nothing similar was measured, that is what is said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

import torch
from lightning_fabric import Fabric

from ganglion.doctor.forecast import GOAL
from ganglion.errors import TrainingFailed
from ganglion.platform.devices import fabric_precision
from ganglion.platform.numerics import side_stream, training_numerics
from ganglion.recipe.measured import MEASURED, Expectation, MeasuredRun, expectations, needed_kimg
from ganglion.recipe.resolve import update
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.budget import Budget
from ganglion.training.own import Own
from ganglion.training.prepare import PreparedRun, batches_of, build_first_players
from ganglion.training.speed_up import Show
from ganglion.training.threads import Threads, measured_threads, restored_threads
from ganglion.training.timed_steps import images_per_sec

__all__ = ["budget_at", "foretelling", "outlook", "with_auto_budget", "with_budget_by_speed"]

TIMED_SEC = 2.0
FEW = 3  # similar runs that are named one by one
SHORTEST_MINUTES, LONGEST_MINUTES = 1, 120  # of a budget that `auto` takes


def budget_at(recipe: Recipe, images_per_sec: float) -> tuple[float, float]:
    """(minutes, kimg) of the whole run at this speed."""
    budget = Budget.of(recipe)
    if budget.seconds is not None:
        return budget.seconds / 60, images_per_sec * budget.seconds / 1000
    images = (budget.steps or 0) * recipe.training.batch * recipe.balance.d_steps
    return images / images_per_sec / 60, images / 1000


def outlook(
    recipe: Recipe, images: int, images_per_sec: float, table: Sequence[MeasuredRun] = MEASURED
) -> str:  # fmt: skip
    """How many images the budget shows at this speed, and what similar runs reached with as many; in a few sentences.

    `images` are in the data set; `recipe` has its size.
    """
    minutes, kimg = budget_at(recipe, images_per_sec)
    shown = f"At {images_per_sec:,.0f} images/s, {_minutes(minutes)} show {kimg:,.3g} kimg."
    found = expectations(recipe.name, images, _side(recipe), kimg, table)
    known = [one for one in found if one.relative_distance is not None]
    return " ".join([shown, _reached(known), *_needed(recipe, images, images_per_sec, table, len(known))])


def with_budget_by_speed(
    recipe: Recipe, images: int, images_per_sec: float, table: Sequence[MeasuredRun] = MEASURED
) -> Recipe:
    """The recipe with as many minutes as such images need at this speed; unchanged where that is not known."""
    minutes = _minutes_needed(recipe, images, images_per_sec, table)
    if minutes is None:
        return recipe
    bounded = min(LONGEST_MINUTES, max(SHORTEST_MINUTES, math.ceil(minutes)))
    return update(recipe, training__minutes=float(bounded), training__kimg=None, training__steps=None)


def with_auto_budget(
    prepared: PreparedRun, recipe: Recipe, own: Own, threads: Threads, say: Callable[[str], None],
    table: Sequence[MeasuredRun] = MEASURED,
) -> Recipe:  # fmt: skip
    """The recipe of a new run with the budget that `auto` takes by the speed of trial steps; `say` gets the reason.

    Unchanged, and without a trial, where the caller chose the budget or nothing similar was measured. `threads`: as asked for.
    """
    images = len(prepared.store.images)
    if not prepared.auto_budget or needed_kimg(recipe.name, images, _side(recipe), GOAL, table) is None:
        return recipe
    batches = batches_of(prepared)
    precision = fabric_precision(recipe.training.precision)
    fabric = Fabric(accelerator=prepared.device.type, devices=1, precision=precision)
    numerics = training_numerics(prepared.device, recipe.training.deterministic)
    cores = torch.get_num_threads()
    with restored_threads(), numerics, side_stream(prepared.device):
        try:
            if threads == "auto" and fabric.device.type == "cpu":
                players = build_first_players(recipe, batches, own)
                speed = measured_threads(fabric, recipe, batches, players, own, cores).images_per_sec or 0.0
            else:
                torch.set_num_threads(cores if threads == "auto" else threads)
                speed = images_per_sec(fabric, recipe, batches, own, TIMED_SEC)
        except (TrainingFailed, torch.OutOfMemoryError):  # the training itself will say what is wrong
            return recipe
    found = with_budget_by_speed(recipe, images, speed, table)
    minutes = _minutes(found.training.minutes or 0)
    say(f"auto: {minutes} instead: as long as similar images take to the goal at {speed:,.0f} images/s")
    return found


def foretelling(
    show: Show, recipe: Recipe, images: int, progress: TrainingProgress, say: Callable[[str], None]
) -> Show:  # fmt: skip
    """`show` that says the outlook at the first record of a new run."""
    said = progress.step > 0

    def shown(fraction: float, line: str | None) -> None:
        nonlocal said
        if line is not None and not said:
            said = True
            say(outlook(recipe, images, progress.images / max(progress.seconds, 1e-9)))
        show(fraction, line)

    return shown


def _reached(known: list[Expectation]) -> str:
    if not known:
        return "What that gives is unknown: no run on similar images was measured on the scale of relative distances."
    if len(known) > FEW:
        distances = sorted(one.relative_distance or 0.0 for one in known)
        low, high = distances[len(known) // 10], distances[-1 - len(known) // 10]
        return (
            f"Relative distance of {len(known)} similar folders after about as many: {low:.2g} to {high:.2g}, median "
            f"{median(distances):.2g} (0: as other real images; goal {GOAL:g})."
        )
    parts = [f"{one.what} {one.relative_distance:.2g} after {one.kimg:,.3g} kimg" for one in known]
    return f"Relative distance of similar runs: {', '.join(parts)} (0: as other real images; goal {GOAL:g})."


def _needed(recipe: Recipe, images: int, images_per_sec: float, table: Sequence[MeasuredRun], known: int) -> list[str]:
    """`known`: similar runs with a relative distance."""
    minutes = _minutes_needed(recipe, images, images_per_sec, table)
    if minutes is None:
        return ["Fewer than half of them reached the goal in the minutes measured."] if known > 1 else []
    who = "Half of them were" if known > 1 else "It was"
    return [f"{who} at the goal after as many images as take {_minutes(minutes)} here."]


def _minutes_needed(
    recipe: Recipe, images: int, images_per_sec: float, table: Sequence[MeasuredRun]
) -> float | None:  # fmt: skip
    kimg = needed_kimg(recipe.name, images, _side(recipe), GOAL, table)
    return None if kimg is None else kimg * 1000 / images_per_sec / 60


def _side(recipe: Recipe) -> int:
    return min(recipe.data.size or (0, 0)) or 1


def _minutes(minutes: float) -> str:
    if minutes < 1:
        return f"{60 * minutes:.2g} seconds"
    return f"{minutes:.3g} minute{'' if minutes == 1 else 's'}"
