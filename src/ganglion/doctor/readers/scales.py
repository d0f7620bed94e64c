"""Ways of counting that a log allows: printed steps, batches within epochs, epochs, images, or its rows."""

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

__all__ = ["Scale", "scale_of"]


Floats = NDArray[np.float64]
GLOBAL = {"global", "total", "gs", "globalstep", "done", "nimg", "kimg"}
"""Words of counters that do not start over with an epoch."""


@dataclass
class Scale:
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


def scale_of(rows: Rows, groups: Sequence[Group], holding: Sequence[int], roles: Roles) -> Scale:
    """The finest way of counting that the log allows."""
    counters = _named_roles(rows, groups, holding, roles)
    of_kind: dict[str, list[int]] = {}
    for column, kind in counters.items():
        of_kind.setdefault(kind, []).append(column)
    epoch = _most_present(of_kind.get("epoch", []), groups, holding)
    coarse = carried(list(groups), epoch) if epoch is not None else None
    scales: list[tuple[float, Scale]] = []
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
            scales.append((5, Scale("epochs", "epoch", [epoch], coarse)))
        else:
            scales.append((5.5, Scale("rows", "row", [epoch], np.full(len(groups), math.nan), coarse)))
    scales.append((7, Scale("rows", "row", [], np.full(len(groups), math.nan))))
    best = min(scales, key=lambda pair: pair[0])[1]
    if best.how == "printed" or best.how == "images":
        _fill_from_others(best, groups, of_kind.get(counters[best.columns[0]], []))
    best.kinds = {i: counters[i] for i in best.columns} | ({epoch: "epoch"} if epoch is not None else {})
    best.epochs = coarse
    return best


def _fill_from_others(scale: Scale, groups: Sequence[Group], alike: Sequence[int]) -> None:
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
            i
            for i in everywhere
            if counters[i] in ("batch", "step") and _resets_with(groups, holding, lead, i, strictly=True)
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


def _resets_with(
    groups: Sequence[Group], holding: Sequence[int], coarse: int, fine: int, strictly: bool = False
) -> bool:
    """Whether `fine` starts over whenever `coarse` goes on; `strictly`: staying the same is not enough."""
    a, b = (carried(list(groups), column)[list(holding)] for column in (coarse, fine))
    on = np.flatnonzero(np.diff(a) > 0)
    if not len(on):
        return bool(np.any(np.diff(b) > 0) and not np.any(np.diff(a) < 0))
    return bool(np.mean(b[on + 1] < b[on] if strictly else b[on + 1] <= b[on]) > 0.5)


def _steps_of_one(groups: Sequence[Group], holding: Sequence[int], column: int) -> bool:
    changes = np.diff(carried(list(groups), column)[list(holding)])
    return bool(np.all((changes == 0) | (changes == 1)))


def _counts_epochs(rows: Rows, groups: Sequence[Group], holding: Sequence[int], column: int) -> bool:
    """Whether `[3/25]` alone is an epoch: it goes on by one each time, and there are not many."""
    values = carried(list(groups), column)[list(holding)]
    total = _total_of(rows, column)
    limit = total[0] if total else np.fmax.reduce(values)
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
) -> Scale | None:  # fmt: skip
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
        return Scale("images", "image", [column], fine * 1000)
    if kind in ("images", "tick", "position"):
        return Scale({"images": "images", "tick": "ticks", "position": "positions"}[kind], "image" if kind == "images" else
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
        return Scale("epoch x batches", "step", [epoch, column], fine, coarse, per, estimated)
    backs = np.flatnonzero(np.diff(finite) < 0)
    if len(backs) and not is_global and _starts_over_with_epochs(finite, backs, total, kind):
        per, estimated = (total[0], False) if total else (_learned(finite), True)
        laps = np.concatenate([[0], np.cumsum(np.diff(np.nan_to_num(fine)) < 0)]).astype(np.float64)
        return Scale("epoch x batches", "step", [column], fine, laps, per, estimated)
    return Scale("printed", "step", [column], fine)


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
