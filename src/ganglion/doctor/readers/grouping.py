"""Rows that belong together as one record: what a loop printed in several lines, or a program wrote in several rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganglion.doctor.readers.columns import OF_SETTINGS, Place, Rows
from ganglion.doctor.readers.names import COUNTER_KINDS, Name, named
from ganglion.doctor.readers.text_lines import POSITION

__all__ = ["MEASURED_KINDS", "Group", "Roles", "groups_of", "roles_of"]


MEASURED_KINDS = frozenset({
    "loss", "probability", "score", "logit", "opinion", "accuracy", "sign", "grad", "fid", "kid", "inception", "distance",
    "precision", "recall",
})  # fmt: skip
OFTEN = 5
Floats = NDArray[np.float64]


class Group(NamedTuple):
    """One record as printed: the line where it begins, and its numbers by column."""

    line: int
    values: dict[int, float]


class Roles(NamedTuple):
    """Columns by what they are for."""

    counters: dict[int, str]
    """epoch, step, batch, images, kimg, tick, position; `unnamed` for numbers without a name."""
    measured: set[int]
    names: list[Name]


def roles_of(rows: Rows, given: dict[int, str] | None = None) -> Roles:
    """What each column is for by its name. `given`: the user's word for some."""
    names = [named(column.place.name, column.place.context) for column in rows.columns]
    counters: dict[int, str] = {}
    measured: set[int] = set()
    for i, (column, name) in enumerate(zip(rows.columns, names, strict=True)):
        said = (given or {}).get(i)
        kind = _counter(column.place, name) if said is None else (said if said in COUNTER_KINDS else "")
        if kind:
            counters[i] = kind
        elif said is not None or _is_measured(column.place, name):
            measured.add(i)
    if max((rows.columns[i].count for i in measured), default=0) >= OFTEN:
        measured = {i for i in measured if rows.columns[i].count > 1 or i in (given or {})}  # settings are printed once
    others = {i for i in measured if names[i].split == "val" and names[i].kind in ("", "loss")}
    return Roles(
        counters, measured - others or measured, names
    )  # losses of a validation count only where there are no others


def _counter(place: Place, name: Name) -> str:
    """The kind of a counter; empty for other numbers, and for the 500 of `40/500`."""
    if place.total or (place.part and place.name) or place.context == OF_SETTINGS:
        return ""
    if place == POSITION or place.name == "row":
        return "position"
    return (name.kind if name.kind in COUNTER_KINDS else "") if place.name else "unnamed"


def _is_measured(place: Place, name: Name) -> bool:
    if place.total or name.kind in COUNTER_KINDS or name.statistic == "best" or place.context == OF_SETTINGS:
        return False  # the best is of an earlier step
    return name.kind in MEASURED_KINDS or (name.kind == "" and bool(name.player or name.term or name.side))


def groups_of(rows: Rows, roles: Roles) -> list[Group]:
    """Groups in reading order. A group ends where one of its columns comes again, or where a counter that is printed before the
    measurements comes.
    """
    relevant = _relevant(rows, roles)
    first = min((rows.columns[i].first_row for i in roles.measured), default=0)
    leading = {i for i in roles.counters if rows.columns[i].first_row <= first and i in relevant}
    found: list[Group] = []
    current, line_of, measured = dict[int, float](), 0, False
    for number, (line, columns, values) in enumerate(rows):
        new = (
            number in rows.breaks
            or any(i in current for i in columns if i in relevant)
            or (measured and any(i in leading for i in columns))
        )
        if new and current:
            found.append(Group(line_of, current))
            current, measured = {}, False
        if not current:
            line_of = line
        current.update(zip(columns, values, strict=True))
        measured = measured or any(i in roles.measured for i in columns)
    if current:
        found.append(Group(line_of, current))
    named_counters = [i for i, kind in roles.counters.items() if kind != "unnamed"]
    return [group for group in found if all(_is_count(group.values.get(i, 0.0)) for i in named_counters)]


def _is_count(value: float) -> bool:
    """Whether a value can be a step; records with another, such as -1 or 1e300, are left out."""
    return 0 <= value < 2**53


def _relevant(rows: Rows, roles: Roles) -> set[int]:
    """Measured columns, counters, and unnamed numbers that stand beside measurements or have a total."""
    unnamed = {i for i, kind in roles.counters.items() if kind == "unnamed"}
    totals = {(c.place.name, c.place.context, c.place.part) for c in rows.columns if c.place.total}
    kept = {i for i in unnamed if rows.columns[i].place[:3] in totals}
    doubtful = unnamed - kept
    if doubtful:
        beside = dict.fromkeys(doubtful, 0)
        for _, columns, _ in rows:
            if any(i in doubtful for i in columns) and any(i in roles.measured for i in columns):
                for i in columns:
                    if i in doubtful:
                        beside[i] += 1
        kept |= {i for i in doubtful if beside[i] >= 0.5 * rows.columns[i].count}
        most = max((rows.columns[i].count for i in roles.measured), default=0)
        kept |= {i for i in doubtful - kept if rows.columns[i].count >= 0.5 * most and _rises(rows, i)}
    return (roles.measured | roles.counters.keys()) - unnamed | kept


def _rises(rows: Rows, column: int) -> bool:
    """Whether whole numbers without a name, in lines of their own, count."""
    values = rows.values_of(column, 1000)
    steps = np.diff(values)
    return len(values) > 2 and not rows.columns[column].decimals and bool(np.all(steps >= 0) and np.any(steps > 0))


def carried(groups: list[Group], column: int) -> Floats:
    """A counter's value at each group; where a group lacks it, the last one before. NaN before the first."""

    def values() -> Iterator[float]:
        last = float("nan")
        for group in groups:
            last = group.values.get(column, last)
            yield last

    return np.fromiter(values(), np.float64, len(groups))
