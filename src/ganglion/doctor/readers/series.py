"""From rows in the order of a log to records: steps that rise, one life of the run, not too many of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ganglion.doctor.readers.names import with_separation

__all__ = ["MOST_RECORDS", "in_order"]

MOST_RECORDS = 400
"""Single batches are noisy: of a longer log so many means are taken."""


def in_order(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records with rising steps. Rows of one step are one record; a log that starts over keeps its last life."""
    records: list[dict[str, Any]] = []
    for number, row in enumerate(rows, start=1):
        record = dict(row)
        step = int(record.get("step", number))
        while records and records[-1]["step"] > step:
            records.pop()
        if "non_finite" in record:
            record["non_finite"] = {"step": step, **record["non_finite"]}
        if records and records[-1]["step"] == step:
            records[-1] = records[-1] | record
        else:
            records.append({**record, "step": step})
    return [with_separation(record) for record in _means(records)]


def _means(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(records) <= MOST_RECORDS:
        return list(records)
    edges = [round(i * len(records) / MOST_RECORDS) for i in range(MOST_RECORDS + 1)]
    return [_mean(records[first:last]) for first, last in pairwise(edges) if last > first]


def _mean(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means of the numbers; the last step; whatever was not finite."""
    mean: dict[str, Any] = {}
    for key in dict.fromkeys(key for record in records for key in record):
        values = [record[key] for record in records if key in record]
        numbers = [value for value in values if isinstance(value, int | float)]
        mean[key] = sum(numbers) / len(numbers) if len(numbers) == len(values) else values[0]
    return mean | {"step": records[-1]["step"]}
