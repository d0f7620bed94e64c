"""Records as columns, with the questions that findings ask of them. T records, oldest first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Chart", "longest_end", "median", "smoothed"]

Column = NDArray[np.float64]

SUSTAINED_RECORDS = 5
SUSTAINED_SHARE = 0.15
SUSTAINED_KIMG = 1.0
BATCH = 32
"""Of logs that do not count images."""


class Chart:
    """Numbers of a run over time. A value that a record lacks is NaN."""

    def __init__(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.records = list(records)
        self.steps = np.array([int(record["step"]) for record in self.records], np.int64)
        self.kimg = self.column("kimg") if self.has("kimg", 1) else self.steps * (BATCH / 1000)
        self._columns: dict[str, Column] = {}

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: str) -> Column:
        """The numbers (T,) under a key."""
        if key not in self._columns:
            self._columns[key] = self.column(key)
        return self._columns[key]

    def column(self, key: str) -> Column:
        return np.array([_number(record.get(key)) for record in self.records], np.float64)

    def part(self, key: str, place: int) -> Column:
        """Number `place` of the list under a key, such as the largest value of `range_real`."""
        values = [record.get(key) for record in self.records]
        return np.array([_number(v[place]) if isinstance(v, list) and len(v) > place else math.nan for v in values])

    def has(self, key: str, records: int = SUSTAINED_RECORDS) -> bool:
        """Whether at least so many records hold a number there."""
        return sum(_number(record.get(key)) == _number(record.get(key)) for record in self.records) >= records

    def last(self, key: str) -> float:
        """The newest number; NaN where there is none."""
        return next((value for value in self[key][::-1].tolist() if not math.isnan(value)), math.nan)

    @property
    def window(self) -> int:
        """How many of the newest records a state has to last to count: five, a seventh of the run, or a thousand images,
        whichever is the most.
        """
        newest = int((self.kimg > self.kimg[-1] - SUSTAINED_KIMG).sum())
        return max(SUSTAINED_RECORDS, math.ceil(SUSTAINED_SHARE * len(self)), newest)

    def recent(self, key: str) -> float:
        """Median over the window; NaN where nothing was measured in it."""
        return self.recent_of(self[key])

    def recent_of(self, values: Column) -> float:
        """The same of numbers (T,) that were derived from several keys."""
        return median(values[-self.window :])

    def early(self, key: str) -> float:
        """Median over the first records, the very first left out: networks have just begun to move."""
        return median(self[key][1 : 1 + self.window])

    def lasts(self, state: NDArray[np.bool_]) -> int | None:
        """The place from which `state` (T,) has held to the end, one exception in five allowed; None if not long enough."""
        begin = longest_end(state)
        return begin if begin is not None and len(state) - begin >= self.window else None


def longest_end(state: NDArray[np.bool_], tolerance: float = 0.2) -> int | None:
    """The first place from which at least 1 - tolerance of all records to the end are in a state, and the last one is."""
    if not len(state) or not state[-1]:
        return None
    held = np.cumsum(state[::-1]) / np.arange(1, len(state) + 1)  # share over the last 1, 2, ... records
    enough = np.flatnonzero((held >= 1 - tolerance) & state[::-1])
    gaps = (place for place, (a, b) in enumerate(pairwise(enough)) if b - a > 2)
    cut = next(gaps, len(enough) - 1)
    return len(state) - 1 - int(enough[cut])


def smoothed(values: Column, width: int) -> Column:
    """Median of each value and its neighbours, NaN left out."""
    half = width // 2
    padded = np.concatenate([np.full(half, np.nan), values, np.full(half, np.nan)])
    around = np.sort(np.stack([padded[i : i + len(values)] for i in range(width)]), axis=0)  # NaN comes last
    there = (~np.isnan(around)).sum(0)
    middle = np.stack([np.maximum(there - 1, 0) // 2, there // 2])
    found: Column = np.take_along_axis(around, middle, 0).mean(0)
    return found


def median(values: Column) -> float:
    """NaN left out; NaN where nothing is left."""
    there = values[~np.isnan(values)]
    return float(np.median(there)) if len(there) else math.nan


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value)
