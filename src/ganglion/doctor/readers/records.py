"""Rows of a log as records: counted, named by our keys, and with what was understood."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ganglion.doctor.numbers import LARGEST
from ganglion.doctor.readers.columns import Rows
from ganglion.doctor.readers.counters import Counting, count
from ganglion.doctor.readers.grouping import Group, Roles, groups_of, roles_of
from ganglion.doctor.readers.images import images_of
from ganglion.doctor.readers.meaning import SCORES, Meaning, meanings
from ganglion.doctor.readers.objective import Objective, objective_of
from ganglion.doctor.readers.understanding import ColumnRead, Understanding

__all__ = ["Log", "Options", "interpreted", "thinned"]


class Options(NamedTuple):
    """The user's corrections."""

    map: Mapping[str, str] = {}
    """Names in the log by our keys, such as {"loss_d": "critic"}."""
    batch: int | None = None
    """Images of a batch."""
    images_per_epoch: int | None = None
    run: int | None = None


@dataclass
class Log:
    """Records of a log; of two pairs of networks a list for each."""

    records: list[dict[str, Any]]
    understood: Understanding
    objective: Objective
    pairs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Records of the second pair and further ones by its letter."""
    unit: str = "step"
    keys: dict[str, int] = field(default_factory=dict)
    """Columns of the rows by our keys."""


Merged = tuple[int, dict[int, float], float]
"""A step, its values by column, and its epoch."""
MOST_RECORDS = 400
"""Single batches are noisy: for a verdict a longer log is averaged to this many records."""
NAMES_OF_LOSSES = {"loss_d": "loss of the discriminator", "loss_g": "loss of the generator"}


def interpreted(rows: Rows, options: Options = Options()) -> Log:  # noqa: B008
    """What the rows say."""
    with np.errstate(all="ignore"):  # numbers of a log may overflow; what is not finite is no step and no measurement
        return _interpreted(rows, options)


def _interpreted(rows: Rows, options: Options) -> Log:
    given = _given(rows, options.map)
    roles = roles_of(rows, given)
    groups = groups_of(rows, roles)
    counting = count(rows, groups, roles, options.run)
    images = images_of(rows, groups, counting, roles, options.batch, options.images_per_epoch)
    merged = _merged(groups, counting, roles)
    steps = [step for step, _, _ in merged]
    wanted = (roles.measured | {i for i, name in enumerate(roles.names) if name.kind == "lr"} | given.keys()) & {
        i for _, values, _ in merged for i in values
    }
    series = {i: np.array([values.get(i, math.nan) for _, values, _ in merged]) for i in wanted}
    for values in series.values():
        values[np.abs(values) > LARGEST] = math.nan  # infinite, or beyond every measurement
    roles = roles._replace(measured=roles.measured | {i for i in wanted if roles.names[i].kind == "lr"})
    found = meanings(rows, roles, series, given)
    kimg = {step: images(step, epoch) for step, _, epoch in merged}
    bad = {
        i: {t for t, (_, values, _) in enumerate(merged) if i in values and not math.isfinite(values[i])}
        for i in wanted
    }
    lists = [_records(meaning, series, bad, steps, kimg, rows, counting.unit) for meaning in found] or [[]]
    epochs = {step: epoch for step, _, epoch in merged if math.isfinite(epoch)}
    for record in (record for records in lists for record in records if record["step"] in epochs):
        record["epoch"] = epochs[record["step"]]
    objective = objective_of(_values(lists[0]), _words(rows, found))
    understood = _understood(rows, counting, found, series, steps, lists[0], kimg, merged)
    understood.objective = objective._asdict()
    pairs = {meaning.pair.upper(): records for meaning, records in zip(found[1:], lists[1:], strict=True)}
    if pairs:
        letters = ", ".join(sorted(meaning.pair.upper() for meaning in found))
        understood.notes.append(f"the log holds {len(found)} pairs of networks ({letters}): each is judged by itself")
    keys = {key: i for meaning in reversed(found) for key, i in meaning.keys.items()}
    return Log(lists[0], understood, objective, pairs, counting.unit, keys)


def _given(rows: Rows, chosen: Mapping[str, str]) -> dict[int, str]:
    """Columns by the user's names for them."""
    labels = {i: column.place.label for i, column in enumerate(rows.columns)}
    found: dict[int, str] = {}
    for key, name in chosen.items():
        for i, label in labels.items():
            if (
                name.strip().lower() in (label.lower(), rows.columns[i].place.name.lower())
                and not rows.columns[i].place.total
            ):
                found[i] = key
                break
    return found


def _merged(groups: Sequence[Group], counting: Counting, roles: Roles) -> list[Merged]:
    """Step, values and epoch of each step. Groups that do not print the step themselves add only what is not there yet."""
    fine = counting.columns[-1] if counting.columns and counting.how != "rows" else None
    found: dict[int, tuple[dict[int, float], float]] = {}
    for i in counting.kept:
        step, values = int(counting.steps[i]), groups[i].values
        epoch = float(counting.epochs[i]) if counting.epochs is not None else math.nan
        if step not in found:
            found[step] = (dict(values), epoch)
        elif fine is None or fine in values:
            found[step][0].update(values)
        else:
            for column, value in values.items():
                found[step][0].setdefault(column, value)
    told = roles.measured | _rates(roles)
    return [(step, values, epoch) for step, (values, epoch) in sorted(found.items()) if values.keys() & told]


def _rates(roles: Roles) -> set[int]:
    return {i for i, name in enumerate(roles.names) if name.kind in ("lr", *SCORES)}


def _records(
    meaning: Meaning, series: Mapping[int, Any], bad: Mapping[int, set[int]], steps: Sequence[int],
    kimg: Mapping[int, float | None], rows: Rows, unit: str,
) -> list[dict[str, Any]]:  # fmt: skip
    """Records by our keys. What is not finite becomes `non_finite`; scores that were not computed are left out."""
    found: list[dict[str, Any]] = []
    for t, step in enumerate(steps):
        record: dict[str, Any] = {"step": step}
        if (images := kimg[step]) is not None:
            record["kimg"] = images
        for key, column in meaning.keys.items():
            value = float(series[column][t]) * meaning.scale.get(column, 1.0)
            if math.isfinite(value):
                record[key] = 0.0 if abs(value) < 1 / LARGEST else value
            elif key not in SCORES and not key.startswith("lr") and t in bad[column]:
                record.setdefault(
                    "non_finite", {"step": step, "tensor": NAMES_OF_LOSSES.get(key, rows.columns[column].place.label)}
                )
        for key, parts in meaning.sums.items():
            total = sum(float(series[column][t]) for column in parts)
            if math.isfinite(total):
                record[key] = total
        if "lr" in record:
            rate = record.pop("lr")
            record.setdefault("lr_g", rate)
            record.setdefault("lr_d", rate)
        if unit not in ("step", "image") and "kimg" not in record:
            record["unit"] = unit
        found.append(_with_separation(record))
    return [record for record in found if record.keys() - {"step", "kimg", "unit", "lr_g", "lr_d"}]


def _with_separation(record: dict[str, Any]) -> dict[str, Any]:
    """Adds derived values: accuracies from mean signs, and the AUC of two normal distributions of logits."""
    for side, right in (("real", 1), ("fake", -1)):
        if (sign := record.pop(f"sign_{side}", None)) is not None:
            record.setdefault(f"accuracy_{side}", (1 + right * sign) / 2)
    needed = ("logit_real", "logit_fake", "logit_real_std", "logit_fake_std")
    if "separation" not in record and all(key in record for key in needed):
        real, fake, real_std, fake_std = (float(record[key]) for key in needed)
        spread = math.hypot(real_std, fake_std)
        record["separation"] = 0.5 * (1 + math.erf((real - fake) / (spread * 2**0.5))) if spread else 0.5
    return record


def _values(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Series (T,) by key; NaN where a record lacks a value."""
    keys = {key for record in records for key, value in record.items() if isinstance(value, int | float)}
    return {key: np.array([record.get(key, math.nan) for record in records], np.float64) for key in keys}


def _words(rows: Rows, found: Iterable[Meaning]) -> list[str]:
    """What may name the objective: used columns, and settings that the log prints."""
    return [rows.columns[i].place.label for meaning in found for i in meaning.keys.values()] + rows.settings


def _understood(
    rows: Rows, counting: Counting, found: Sequence[Meaning], series: Mapping[int, Any], steps: Sequence[int],
    records: Sequence[Mapping[str, Any]], kimg: Mapping[int, float | None], merged: Sequence[Merged],
) -> Understanding:  # fmt: skip
    taken = {
        i: (key, meaning.pair.upper() if len(found) > 1 else "")
        for meaning in reversed(found)
        for key, i in meaning.keys.items()
    }
    taken |= {i: (kind, "") for i, kind in counting.kinds.items()}
    counted = _counter_series(counting, merged)
    columns = [
        _column(rows, i, series.get(i, counted.get(i)), steps, taken.get(i, (None, "")), _reason(i, found))
        for i in _shown(rows, taken, series, counting)
    ]
    columns.sort(key=lambda column: column.taken_for is None)
    finite = [record["step"] for record in records]
    images = [kimg[step] for step in finite if step > 0 and kimg.get(step)]
    counting_json = {
        "how": counting.how, "unit": counting.unit, "names": [rows.columns[i].place.label for i in counting.columns],
        "first": finite[0] if finite else None, "last": finite[-1] if finite else None,
        "batches_per_epoch": counting.batches_per_epoch, "estimated": counting.estimated,
        "images_per_step": 1000 * images[-1] / finite[-1] if images and images[-1] and finite[-1] else None,
        "images": 1000 * images[-1] if images and images[-1] else None, "runs": counting.runs, "run": counting.run,
    }  # fmt: skip
    notes = [*rows.notes, *counting.notes, *(note for meaning in found for note in meaning.notes)]
    if counting.runs > 1:
        what = "the newest was taken" if counting.run == counting.runs else f"run {counting.run} was taken"
        notes.append(f"its steps begin again: it holds {counting.runs} runs, of which {what}")
    notes += _missing(found)
    return Understanding(rows.kind, rows.lines, len(records), columns, counting_json, {}, list(dict.fromkeys(notes)))


def _counter_series(counting: Counting, merged: Sequence[Merged]) -> dict[int, Any]:
    return {i: np.array([values.get(i, math.nan) for _, values, _ in merged]) for i in counting.kinds}


def _missing(found: Sequence[Meaning]) -> list[str]:
    """One player whose loss is not in the log."""
    if not found:
        return []
    keys = found[0].keys.keys() | found[0].sums.keys()
    has = {who: any(key.startswith(f"loss_{who}") for key in keys) for who in "dg"}
    if has["d"] == has["g"]:
        return []
    other = "g" if has["d"] else "d"
    return [f"the log has no loss of {other.upper()} that could be recognised: --map {other}_loss=NAME names it"]


def _shown(rows: Rows, taken: Mapping[int, object], series: Mapping[int, Any], counting: Counting) -> list[int]:
    """Columns to tell of: those that were used, and others with more than a setting's one value."""
    return [
        i
        for i, column in enumerate(rows.columns)
        if i in taken or (not column.place.total and (column.count > 1 or i in series))
    ]


def _reason(column: int, found: Sequence[Meaning]) -> str:
    """Why a column is not used."""
    return next((meaning.unsure[column] for meaning in found if column in meaning.unsure), "")


def _column(
    rows: Rows, i: int, values: Any, steps: Sequence[int], taken: tuple[str | None, str], reason: str
) -> ColumnRead:  # fmt: skip
    key, pair = taken
    label = rows.columns[i].place.label
    where = np.flatnonzero(np.isfinite(values)) if values is not None else np.zeros(0, np.int64)
    if not len(where):
        count = rows.columns[i].count if values is None else 0
        return ColumnRead(label, key, count, None, None, None, None, reason, pair)
    kept = values[where]
    span = float(kept.min()), float(kept.max())
    return ColumnRead(label, key, len(where), *span, steps[where[0]], steps[where[-1]], reason, pair)


def thinned(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most MOST_RECORDS: means over equal spans of steps, or of as many neighbours where steps are very uneven; the last
    step, and the first value that is no number.
    """
    if len(records) <= MOST_RECORDS:
        return list(records)
    steps = [record["step"] for record in records]
    spans = np.linspace(steps[0], steps[-1], MOST_RECORDS + 1)
    edges = [0, *(int(i) for i in np.searchsorted(steps, spans[1:-1], side="right")), len(records)]
    if len(set(edges)) < MOST_RECORDS / 4:
        edges = [round(i * len(records) / MOST_RECORDS) for i in range(MOST_RECORDS + 1)]
    return [_mean(records[first:last]) for first, last in pairwise(edges) if last > first]


def _mean(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    mean: dict[str, Any] = {}
    for key in dict.fromkeys(key for record in records for key in record):
        values = [record[key] for record in records if key in record]
        numbers = [value for value in values if isinstance(value, int | float)]
        mean[key] = sum(numbers) / len(numbers) if len(numbers) == len(values) else values[0]
    return mean | {"step": records[-1]["step"]} | ({"kimg": records[-1]["kimg"]} if "kimg" in records[-1] else {})
