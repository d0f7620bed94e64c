"""The steps of a log, and where one run ends and the next begins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ganglion.doctor.readers.columns import Rows
from ganglion.doctor.readers.grouping import Group, Roles
from ganglion.doctor.readers.scales import Scale, scale_of

__all__ = ["Counting", "count"]


Floats = NDArray[np.float64]


@dataclass
class Counting:
    """The steps of a log's groups, and how they were found."""

    how: str
    """printed, epoch x batches, epochs, images, ticks, positions or rows."""
    unit: str
    """What one step is: step, epoch, image, tick or row."""
    columns: list[int]
    """The columns that were used, coarsest first."""
    kinds: dict[int, str]
    """What each of the columns counts, and the column of epochs where it is another."""
    steps: Floats
    """At each group; NaN where there is none."""
    epochs: Floats | None = None
    batches_per_epoch: float | None = None
    estimated: bool = False
    """Whether the batches of an epoch were not printed."""
    run: int = 1
    runs: int = 1
    kept: list[int] = field(default_factory=list)
    """Indices of the groups of the chosen run that remain where a run was resumed from an earlier step."""
    notes: list[str] = field(default_factory=list)


def count(rows: Rows, groups: Sequence[Group], roles: Roles, run: int | None = None) -> Counting:
    """Steps of the groups. `run`: which run of several in one file, from 1; None for the newest."""
    if not groups:
        return Counting("rows", "row", [], {}, np.zeros(0))
    holding = [i for i, group in enumerate(groups) if group.values.keys() & roles.measured] or list(range(len(groups)))
    scale = scale_of(rows, groups, holding, roles)
    starts, parts, resumed = _starts(scale, groups, holding, roles.measured)
    counting = Counting(scale.how, scale.unit, scale.columns, scale.kinds, np.full(len(groups), math.nan), scale.epochs)
    counting.runs = len(starts)
    counting.run = min(max(run or len(starts), 1), len(starts))
    first, last = [*starts, len(groups)][counting.run - 1 : counting.run + 1]
    chosen = list(range(first, last)) if last else []
    steps, per_coarse = _steps(scale, chosen, holding)
    counting.steps, counting.batches_per_epoch, counting.estimated = steps, per_coarse, scale.estimated
    counting.kept = _without_overlap(steps, chosen, set(holding), parts)
    if resumed:
        counting.notes.append(
            f"the counter goes back {resumed} {'time' if resumed == 1 else 'times'}, as after a resumed training: of steps "
            "that come twice the later ones were taken"
        )
    return counting


NEAR_THE_START = 0.02
"""Share of the way so far within which a counter that went back is at its start."""


def _starts(
    scale: Scale, groups: Sequence[Group], holding: Sequence[int], measured: set[int]
) -> tuple[list[int], set[int], int]:  # fmt: skip
    """Indices of the first group of each run, of each series that stands behind others, and how often a run was resumed.

    Where a counter goes back, a series with columns that were not there before stands beside the others. Otherwise, a counter
    that returns to its start is a new run; one that goes back less far is a resumed run.
    """
    order = list(holding)
    if not order:
        return [0], set(), 0
    places = _places(scale, order)
    starts, parts, resumed, seen = [0], set[int](), 0, set[int]()
    first, second, reached = places[0], math.inf, places[0]
    for i, place in enumerate(places):
        own = groups[order[i]].values.keys() & measured
        if i and place < places[i - 1]:
            if not own & seen:
                parts.add(order[i])
            elif place <= first or place < second or place - first <= NEAR_THE_START * (reached - first):
                starts.append(order[i])
                first, second, reached, seen = place, math.inf, place, set()
            else:
                resumed += 1
        if place > first:
            second = min(second, place)
        reached = max(reached, place)
        seen |= own
    return starts, parts, resumed


def _places(scale: Scale, order: Sequence[int]) -> list[float]:
    """Where in the training each group stands, on one scale."""
    fine = np.nan_to_num(scale.fine[order])
    if scale.coarse is None or scale.how == "epochs":
        return [float(value) for value in fine]
    per = scale.per_coarse or float(fine.max()) + 1
    return [float(value) for value in np.nan_to_num(scale.coarse[order]) * per + fine]


def _steps(scale: Scale, chosen: Sequence[int], holding: Sequence[int]) -> tuple[Floats, float | None]:
    """The step of each group; of those that are not chosen NaN."""
    steps = np.full(len(scale.fine), math.nan)
    index = np.array(chosen, np.int64)
    if scale.how == "rows":
        inside = set(holding)
        counted = 0
        for i in chosen:
            counted += i in inside
            steps[i] = max(counted, 1)
        return steps, None
    fine = scale.fine[index]
    if scale.coarse is None or scale.per_coarse is None:
        steps[index] = np.round(fine)
        return steps, None
    coarse = scale.coarse[index]
    known = scale.coarse[np.isfinite(scale.coarse)]
    base = 0.0 if not len(known) or known.min() < 1 else 1.0
    if base and known.min() > 1 and np.fmin.reduce(scale.fine) == 0:
        base = 0.0  # the beginning is missing; loops that count batches from 0 count epochs from 0
    steps[index] = np.round((coarse - base) * scale.per_coarse + fine)
    return steps, scale.per_coarse


def _without_overlap(steps: Floats, chosen: Sequence[int], holding: set[int], parts: set[int]) -> list[int]:
    """Groups in order; where the steps go back, earlier groups of the same series with a later step are dropped."""
    done: list[int] = []
    kept: list[int] = []
    for i in chosen:
        if i in parts:
            done, kept = done + kept, []
        step = steps[i]
        if math.isnan(step) or not 0 <= step < 2**63:
            continue
        while i in holding and kept and steps[kept[-1]] > step:
            kept.pop()
        kept.append(i)
    return done + kept
