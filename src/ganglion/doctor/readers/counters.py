"""How a log counts: printed steps, batches within epochs, epochs, images, or its rows; and where one run ends and the next
begins."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ganglion.doctor.readers.columns import Rows
from ganglion.doctor.readers.grouping import Group, Roles, carried
from ganglion.doctor.readers.names import words_of

__all__ = ["Counting", "count"]


Floats = NDArray[np.float64]
GLOBAL = {"global", "total", "gs", "globalstep", "done", "nimg", "kimg"}


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


@dataclass
class _Scale:
    """A way of counting, before runs are told apart."""

    how: str
    unit: str
    columns: list[int]
    fine: Floats
    coarse: Floats | None = None
    per_coarse: float | None = None
    estimated: bool = False
    kinds: dict[int, str] = field(default_factory=dict)
    epochs: Floats | None = None


def count(rows: Rows, groups: Sequence[Group], roles: Roles, run: int | None = None) -> Counting:
    """Steps of the groups. `run`: which run of several in one file, from 1; None for the newest."""
    holding = [i for i, group in enumerate(groups) if group.values.keys() & roles.measured] or list(range(len(groups)))
    scale = _scale(rows, groups, holding, roles)
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


def _scale(rows: Rows, groups: Sequence[Group], holding: Sequence[int], roles: Roles) -> _Scale:
    """The finest way of counting that the log allows."""
    counters = _named_roles(rows, groups, holding, roles)
    of_kind: dict[str, list[int]] = {}
    for column, kind in counters.items():
        of_kind.setdefault(kind, []).append(column)
    epoch = _most_present(of_kind.get("epoch", []), groups, holding)
    coarse = carried(list(groups), epoch) if epoch is not None else None
    scales: list[tuple[float, _Scale]] = []
    for kind, rank in (("step", 0), ("batch", 1), ("images", 3), ("kimg", 3.5), ("tick", 4), ("position", 6)):
        for column in of_kind.get(kind, []):
            if (scale := _of_column(rows, groups, holding, column, kind, epoch, coarse)) is not None:
                missing = 1 - np.mean([column in groups[i].values for i in holding])
                named = -0.5 if GLOBAL & set(words_of(rows.columns[column].place.name)) else 0
                scales.append((rank + named + 10 * float(missing > 0.9) + 2 * float(missing > 0.5), scale))
    if epoch is not None and coarse is not None and np.isfinite(coarse[list(holding)]).any():
        most = max(roles.measured, key=lambda i: rows.columns[i].count, default=None)
        alone = coarse[[i for i in holding if most is None or most in groups[i].values]]
        alone = alone[np.isfinite(alone)]
        if (len(set(alone.tolist())) > 0.6 * len(alone) and np.all(alone == np.round(alone))) or len(alone) == 1:
            scales.append((5, _Scale("epochs", "epoch", [epoch], coarse)))
        else:
            scales.append((5.5, _Scale("rows", "row", [epoch], np.full(len(groups), math.nan), coarse)))
    scales.append((7, _Scale("rows", "row", [], np.full(len(groups), math.nan))))
    best = min(scales, key=lambda pair: pair[0])[1]
    if best.how == "printed" or best.how == "images":
        _fill_from_others(best, groups, of_kind.get(counters[best.columns[0]], []))
    best.kinds = {i: counters[i] for i in best.columns} | ({epoch: "epoch"} if epoch is not None else {})
    best.epochs = coarse
    return best


def _fill_from_others(scale: _Scale, groups: Sequence[Group], alike: Sequence[int]) -> None:
    """Steps from another counter of the same kind, where groups hold one or the other, as of joined logs."""
    column = scale.columns[0]
    for other in alike:
        own = [i for i, group in enumerate(groups) if other in group.values]
        if other != column and own and not any(column in groups[i].values for i in own):
            times = 1000.0 if scale.how == "images" and not np.isnan(scale.fine).all() else 1.0
            scale.fine[own] = [times * groups[i].values[other] for i in own]


def _named_roles(rows: Rows, groups: Sequence[Group], holding: Sequence[int], roles: Roles) -> dict[int, str]:
    """Counters by kind, with a kind for those numbers without a name that count."""
    counters = {i: kind for i, kind in roles.counters.items() if kind != "unnamed"}
    everywhere = {
        i for i in counters if counters[i] == "epoch" or np.mean([i in groups[j].values for j in holding]) > 0.5
    }
    unnamed = sorted(
        (
            i
            for i, kind in roles.counters.items()
            if kind == "unnamed" and _counts(rows, groups, holding, i, bool(everywhere))
        ),
        key=lambda i: rows.columns[i].place.part,
    )
    totals = {i for i in unnamed if _total_of(rows, i) is not None}
    kinds = {counters[i] for i in everywhere}
    if not unnamed:
        return counters
    if "epoch" in kinds:
        fine = [i for i in unnamed if i in totals] or unnamed
        return counters | {fine[0]: "batch"}
    if "batch" in kinds or "step" in kinds:
        lead = unnamed[0]
        goes_along = [
            i for i in everywhere if counters[i] in ("batch", "step") and _resets_with(groups, holding, lead, i)
        ]
        return counters | ({lead: "epoch"} if goes_along else {})
    if len(unnamed) > 1 and _resets_with(groups, holding, unnamed[0], unnamed[1]):
        return counters | {unnamed[0]: "epoch", unnamed[1]: "batch"}
    if len(unnamed) > 1 and unnamed[1] in totals and _steps_of_one(groups, holding, unnamed[0]):
        return counters | {unnamed[0]: "epoch", unnamed[1]: "batch"}
    return counters | {unnamed[0]: "epoch" if _counts_epochs(rows, groups, holding, unnamed[0]) else "batch"}


def _counts(rows: Rows, groups: Sequence[Group], holding: Sequence[int], column: int, others: bool) -> bool:
    """Whether numbers without a name are whole, stand in half of the records, and are not the numbers of the lines."""
    pairs = [(groups[i].values[column], groups[i].line) for i in holding if column in groups[i].values]
    carried_on = carried(list(groups), column)[list(holding)]
    if (
        rows.columns[column].decimals
        or not np.isfinite(carried_on).mean() > 0.5
        or np.any(carried_on[np.isfinite(carried_on)] < 0)
    ):
        return False
    return bool(pairs) and not (others and _numbers_lines(pairs))


def _numbers_lines(pairs: Sequence[tuple[float, int]]) -> bool:
    """Whether values are the numbers of their lines, counted from anywhere."""
    return len({value - line for value, line in pairs}) == 1 and len(pairs) > 1


def _resets_with(groups: Sequence[Group], holding: Sequence[int], coarse: int, fine: int) -> bool:
    """Whether `fine` starts over whenever `coarse` goes on."""
    a, b = (carried(list(groups), column)[list(holding)] for column in (coarse, fine))
    on = np.flatnonzero(np.diff(a) > 0)
    if not len(on):
        return bool(np.any(np.diff(b) > 0) and not np.any(np.diff(a) < 0))
    return bool(np.mean(b[on + 1] <= b[on]) > 0.5)


def _steps_of_one(groups: Sequence[Group], holding: Sequence[int], column: int) -> bool:
    changes = np.diff(carried(list(groups), column)[list(holding)])
    return bool(np.all((changes == 0) | (changes == 1)))


def _counts_epochs(rows: Rows, groups: Sequence[Group], holding: Sequence[int], column: int) -> bool:
    """Whether `[3/25]` alone is an epoch: it goes on by one each time, and there are not many."""
    values = carried(list(groups), column)[list(holding)]
    total = _total_of(rows, column)
    limit = total[0] if total else np.nanmax(values)
    own = [groups[i].values.get(column) for i in holding]
    changes = np.diff([value for value in own if value is not None])
    return bool(total and limit <= 2000 and len(changes) and np.mean(changes == 1) > 0.8)


def _total_of(rows: Rows, column: int) -> tuple[float, int] | None:
    """The usual number after the slash of a counter, and its column."""
    place = rows.columns[column].place
    number = rows.find(place._replace(total=True))
    if number is None:
        return None
    values = Counter(rows.values_of(number, 2000))
    return (values.most_common(1)[0][0], number) if values else None


def _most_present(columns: Sequence[int], groups: Sequence[Group], holding: Sequence[int]) -> int | None:
    """Of several columns the one with most values."""
    found = [
        (np.isfinite(carried(list(groups), c)[list(holding)]).sum(), len({g.values.get(c) for g in groups}), -c)
        for c in columns
    ]
    if not found or max(found)[0] == 0:
        return None
    return -max(found)[2]


def _of_column(
    rows: Rows, groups: Sequence[Group], holding: Sequence[int], column: int, kind: str, epoch: int | None,
    coarse: Floats | None,
) -> _Scale | None:  # fmt: skip
    """The way of counting by one counter; None where it does not count."""
    fine = carried(list(groups), column)
    own = fine[list(holding)]
    if not np.isfinite(own).mean() > 0.5 and kind != "kimg":
        return None
    finite = own[np.isfinite(own)]
    total = _total_of(rows, column)
    if len(finite) == 0 or (len(finite) > 1 and len(set(finite.tolist())) < 2 and not (total and epoch is not None)):
        return None
    if kind == "kimg":
        return _Scale("images", "image", [column], fine * 1000)
    if kind in ("images", "tick", "position"):
        return _Scale({"images": "images", "tick": "ticks", "position": "positions"}[kind], "image" if kind == "images" else
                      "tick" if kind == "tick" else "row", [column], fine)  # fmt: skip
    if rows.columns[column].decimals and np.any(finite != np.round(finite)):
        return None
    is_global = bool(GLOBAL & set(words_of(rows.columns[column].place.name)))
    if (
        not is_global
        and epoch is not None
        and coarse is not None
        and _within(own, coarse[list(holding)], total is not None)
    ):
        per, estimated = (total[0], False) if total else (_learned(own), True)
        return _Scale("epoch x batches", "step", [epoch, column], fine, coarse, per, estimated)
    backs = np.flatnonzero(np.diff(finite) < 0)
    if len(backs) and not is_global and _starts_over_with_epochs(finite, backs, total, kind):
        per, estimated = (total[0], False) if total else (_learned(finite), True)
        laps = np.concatenate([[0], np.cumsum(np.diff(np.nan_to_num(fine)) < 0)]).astype(np.float64)
        return _Scale("epoch x batches", "step", [column], fine, laps, per, estimated)
    return _Scale("printed", "step", [column], fine)


def _within(fine: Floats, coarse: Floats, has_total: bool) -> bool:
    """Whether a counter starts over with each epoch."""
    on = np.flatnonzero(np.diff(coarse) > 0)
    if len(on):
        return bool(np.mean(fine[on + 1] <= fine[on]) > 0.5)
    return has_total


def _starts_over_with_epochs(
    fine: Floats, backs: NDArray[np.int64], total: tuple[float, int] | None, kind: str
) -> bool:
    """Whether a counter that goes back counts the batches of epochs that are not printed; otherwise it is another run."""
    ends, reached = fine[backs], float(np.max(fine))
    if total is not None:
        return bool(np.mean(ends >= 0.9 * total[0]) > 0.5)
    return len(backs) >= (2 if kind == "batch" else 3) and bool(np.mean(ends >= 0.9 * reached) > 0.8)


def _learned(fine: Floats) -> float:
    """Batches of an epoch from a counter that starts over: so many that the stride goes on over the start of an epoch, or the
    largest number if that is more.
    """
    finite = fine[np.isfinite(fine)]
    changes = np.diff(finite)
    ups = changes[changes > 0]
    stride = Counter(ups.tolist()).most_common(1)[0][0] if len(ups) else 1.0
    backs = np.flatnonzero(changes < 0)
    if len(backs):
        return float(max(np.median(finite[backs] + stride - finite[backs + 1]), finite.max()))
    return float(finite.max() + (stride if finite.min() < stride else 0))


NEAR_THE_START = 0.02
"""Share of the way so far within which a counter that went back is at its start."""


def _starts(
    scale: _Scale, groups: Sequence[Group], holding: Sequence[int], measured: set[int]
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


def _places(scale: _Scale, order: Sequence[int]) -> list[float]:
    """Where in the training each group stands, on one scale."""
    fine = np.nan_to_num(scale.fine[order])
    if scale.coarse is None or scale.how == "epochs":
        return [float(value) for value in fine]
    per = scale.per_coarse or float(fine.max()) + 1
    return [float(value) for value in np.nan_to_num(scale.coarse[order]) * per + fine]


def _steps(scale: _Scale, chosen: Sequence[int], holding: Sequence[int]) -> tuple[Floats, float | None]:
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
    if base and known.min() > 1 and np.nanmin(scale.fine) == 0:
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
