"""Records as columns over time, and statistics of these series that several findings use. T records, oldest first; NaN where
a record lacks a value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ganglion.doctor.numbers import number_of
from ganglion.vitals.records import is_step

__all__ = [
    "EVEN",
    "SCORED",
    "Column",
    "History",
    "Thinned",
    "amplitude_and_crossings",
    "at_largest_rate",
    "growth",
    "largest_mean_logit",
    "lasting_suffix",
    "lr_not_decayed",
    "median",
    "running_median",
]


Record = Mapping[str, Any]

EVEN = 512  # most records that are kept for their place in the run
SCORED = 128  # most records of snapshots besides


class Thinned:
    """Every 2^k-th record of a run, with the smallest k that keeps at most EVEN of them, and the newest.

    So kept records are spread evenly, and a share of them is that share of the run. Kept as well: of the records with a
    relative distance every 2^k-th, at most SCORED, and the first record with a non-finite number. Records without a step are
    ignored.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._even, self._scored = _EveryNth(EVEN), _EveryNth(SCORED)
        self._first_bad: dict[int, Record] = {}
        self._newest: dict[int, Record] = {}
        self._count = 0
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """The run's next record."""
        if not is_step(record.get("step")):
            return
        self._newest = {self._count: record}
        self._even.add(self._count, record)
        if record.get("relative_distance") is not None:
            self._scored.add(self._count, record)
        if not self._first_bad and record.get("non_finite") is not None:
            self._first_bad = self._newest
        self._count += 1

    @property
    def records(self) -> list[Record]:
        """At most EVEN + SCORED + 2, oldest first."""
        kept = self._even.kept | self._scored.kept | self._first_bad | self._newest
        return [kept[place] for place in sorted(kept)]


class _EveryNth:
    """Of items that are added every 2^k-th by its place, with the smallest k that keeps at most `most`."""

    def __init__(self, most: int) -> None:
        self.kept: dict[int, Record] = {}
        self._most, self._count, self._every = most, 0, 1

    def add(self, place: int, record: Record) -> None:
        if self._count % self._every == 0:
            self.kept[place] = record
        self._count += 1
        if len(self.kept) > self._most:
            self._every *= 2
            self.kept = dict(list(self.kept.items())[::2])


Column = NDArray[np.float64]

SUSTAINED_RECORDS = 5
SUSTAINED_SHARE = 0.15
SUSTAINED_KIMG = 2.5
BATCH = 32
"""Assumed batch size of logs that do not count images."""


class History:
    """Numbers of a run over time. A value that a record lacks is NaN."""

    def __init__(self, records: Sequence[Mapping[str, Any]], objective: str = "") -> None:
        self.records = list(records)
        self.objective = objective
        """What a log's losses look like, as `readers.objective` names it; empty for our own records."""
        self.steps = np.array([int(record["step"]) for record in self.records], np.int64)
        self.kimg = self._images()
        self._columns: dict[str, Column] = {}
        self.worst = 0
        """Severity of the worst finding so far: 0 none, 1 watch, 2 failing. Set while findings are collected."""

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: str) -> Column:
        """The numbers (T,) under a key."""
        if key not in self._columns:
            self._columns[key] = self.column(key)
        return self._columns[key]

    def column(self, key: str) -> Column:
        return np.array([_number(record.get(key)) for record in self.records], np.float64)

    def part(self, key: str, index: int) -> Column:
        """Item `index` of the list under a key, such as the largest value of `range_real`."""
        values = [record.get(key) for record in self.records]
        return np.array(
            [_number(v[index]) if isinstance(v, list | tuple) and len(v) > index else math.nan for v in values]
        )

    def _images(self) -> Column:
        """Thousands of images (T,) at each record; missing values are interpolated over steps.

        NaN for a log that counts epochs, ticks or rows, of which nobody knows how many images they are.
        """
        kimg = self.column("kimg")
        known = ~np.isnan(kimg)
        if not known.any() and any("unit" in record for record in self.records):
            return np.full(len(self.records), math.nan)
        if not known.any():
            return np.asarray(self.steps * (BATCH / 1000), np.float64)
        return np.asarray(np.interp(self.steps, self.steps[known], kimg[known]), np.float64)

    @property
    def unit(self) -> str:
        """What `steps` counts: step, or epoch, tick or row of another program's log."""
        return str(self.records[-1].get("unit", "step"))

    @property
    def batch_is_assumed(self) -> bool:
        """Whether `kimg` rests on an assumed batch size."""
        return not any("kimg" in record for record in self.records)

    def has(self, key: str, records: int = SUSTAINED_RECORDS) -> bool:
        """Whether at least `records` records hold a number under `key`."""
        return sum(_number(record.get(key)) == _number(record.get(key)) for record in self.records) >= records

    def last(self, key: str) -> float:
        """The newest number; NaN where there is none."""
        return next((value for value in self[key][::-1].tolist() if not math.isnan(value)), math.nan)

    @property
    def window(self) -> int:
        """Number of newest records for which a state has to last: five, 15 % of the run, or 2,500 images, whichever is
        the most.
        """
        newest = int((self.kimg > self.kimg[-1] - SUSTAINED_KIMG).sum())
        return max(SUSTAINED_RECORDS, math.ceil(SUSTAINED_SHARE * len(self)), newest)

    def recent(self, key: str) -> float:
        """Median over the window; NaN where it holds no measurement."""
        return self.recent_of(self[key])

    def recent_of(self, values: Column) -> float:
        """The same for numbers (T,) derived from several keys."""
        return median(values[-self.window :])

    def early(self, key: str) -> float:
        """Median over the first window, without the record of step 0."""
        return median(self[key][1 : 1 + self.window])

    def lasting_since(self, state: NDArray[np.bool_]) -> int | None:
        """Index from which `state` (T,) has held to the end, one exception in five allowed; None if shorter than the window."""
        start = lasting_suffix(state)
        return start if start is not None and len(state) - start >= self.window else None


def lasting_suffix(state: NDArray[np.bool_], tolerance: float = 0.2) -> int | None:
    """First index from which at least 1 - tolerance of all records to the end are in a state, the last one included."""
    if not len(state) or not state[-1]:
        return None
    held = np.cumsum(state[::-1]) / np.arange(1, len(state) + 1)  # share over the last 1, 2, ... records
    enough = np.flatnonzero((held >= 1 - tolerance) & state[::-1])
    gaps = (index for index, (a, b) in enumerate(pairwise(enough)) if b - a > 2)
    cut = next(gaps, len(enough) - 1)
    return len(state) - 1 - int(enough[cut])


def running_median(values: Column, width: int) -> Column:
    """Median over `width` neighbouring values, NaN ignored."""
    half = width // 2
    padded = np.concatenate([np.full(half, np.nan), values, np.full(half, np.nan)])
    windows = np.sort(np.stack([padded[i : i + len(values)] for i in range(width)]), axis=0)  # NaN comes last
    count = (~np.isnan(windows)).sum(0)
    middle = np.stack([np.maximum(count - 1, 0) // 2, count // 2])
    medians: Column = np.take_along_axis(windows, middle, 0).mean(0)
    return medians


def median(values: Column) -> float:
    """Median, NaN ignored; NaN where there are no values."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else math.nan


def _number(value: Any) -> float:
    number = number_of(value) if isinstance(value, int | float) else None
    return math.nan if number is None or math.isinf(number) else number


def growth(values: Column) -> float:
    """The last value over the first; NaN for fewer than two values."""
    known = values[~np.isnan(values)]
    return float(known[-1] / known[0]) if len(known) > 1 and known[0] > 0 else float("nan")


def largest_mean_logit(history: History) -> Column:
    """The larger of D's mean logits on reals and on fakes, by absolute value."""
    return np.fmax(np.abs(history["logit_real"]), np.abs(history["logit_fake"]))


def at_largest_rate(history: History, player: Literal["g", "d"]) -> Column:
    """Updates of a network over its weights, per step (T,), as they would be at the largest learning rate so far; as they are
    where rates are not known.
    """
    rate, moved = history[f"lr_{player}"], history[f"update_{player}"]
    largest = float(np.nanmax(rate, initial=0.0))
    return np.asarray(moved * largest / np.where(rate > 0, rate, np.nan)) if largest > 0 else moved


def lr_not_decayed(history: History, share: float = 0.3) -> bool:
    """Whether both learning rates are still at `share` of their maximum: at the end of a schedule weights hardly move."""
    for key in ("lr_g", "lr_d"):
        rates = history[key][~np.isnan(history[key])]
        if len(rates) and rates[-1] < share * rates.max():
            return False
    return True


def amplitude_and_crossings(values: Column) -> tuple[float, int]:
    """Amplitude of a series around its linear trend, over its mean, and the number of crossings of the trend. (0, 0) for
    fewer than 8 values.

    The amplitude is half of the 15 % to 85 % range after a running median of three, so that single outliers do not count.
    """
    known = values[~np.isnan(values)]
    if len(known) < 8:
        return 0.0, 0
    time = np.arange(len(known))
    residual = known - np.polyval(np.polyfit(time, known, 1), time)
    filtered = running_median(residual, 3)
    crossings = int((np.sign(filtered[1:]) * np.sign(filtered[:-1]) < 0).sum())
    low, high = np.quantile(filtered, [0.15, 0.85])
    return float((high - low) / 2 / max(abs(known.mean()), 1e-12)), crossings
