"""Records as columns over time, and the features of these series that several findings ask for. T records, oldest first;
NaN where a record lacks what is needed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.doctor.numbers import number_of
from ganglion.doctor.verdict import Evidence
from ganglion.vitals.records import is_step

__all__ = [
    "THINNED",
    "WHOLE",
    "History",
    "Thinned",
    "at_full_rate",
    "distance",
    "evidence_of_far",
    "evidence_of_nearest",
    "gained",
    "growth",
    "longest_end",
    "median",
    "nearest",
    "sameness",
    "scale_of_logits",
    "smoothed",
    "still_far",
    "swings",
]


Record = Mapping[str, Any]

WHOLE = 160  # newest records that are looked at one by one
THINNED = 160  # most of those before


class Thinned:
    """A run's newest records, and of those before every 1st, 2nd, 4th, ... by their number, whichever is few enough.

    What a longer run keeps, a shorter one kept too; so nothing has to be remembered that is left out once. The first record
    with a number that is not finite is never left out. A record without a step is none.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._old: list[tuple[int, Record]] = []
        self._new: deque[tuple[int, Record]] = deque()
        self._count, self._every = 0, 1
        self._first_bad: int | None = None
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """The run's next record."""
        if not is_step(record.get("step")):
            return
        if self._first_bad is None and record.get("non_finite") is not None:
            self._first_bad = self._count
        self._new.append((self._count, record))
        self._count += 1
        if len(self._new) > WHOLE:
            self._old += filter(self._stays, [self._new.popleft()])
        while len(self._old) > THINNED:
            self._every *= 2
            self._old = list(filter(self._stays, self._old))

    @property
    def records(self) -> list[Record]:
        """At most WHOLE + THINNED, oldest first."""
        return [record for _, record in (*self._old, *self._new)]

    def _stays(self, numbered: tuple[int, Record]) -> bool:
        return numbered[0] % self._every == 0 or numbered[0] == self._first_bad


Column = NDArray[np.float64]

SUSTAINED_RECORDS = 5
SUSTAINED_SHARE = 0.15
SUSTAINED_KIMG = 1.0
BATCH = 32
"""Of logs that do not count images."""


class History:
    """Numbers of a run over time. A value that a record lacks is NaN."""

    def __init__(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.records = list(records)
        self.steps = np.array([int(record["step"]) for record in self.records], np.int64)
        self.kimg = self._images()
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
        return np.array(
            [_number(v[place]) if isinstance(v, list | tuple) and len(v) > place else math.nan for v in values]
        )

    def _images(self) -> Column:
        """Thousands of images (T,) at each record; where one does not tell, as far as its neighbours' steps suggest."""
        told = self.column("kimg")
        there = ~np.isnan(told)
        if not there.any():
            return np.asarray(self.steps * (BATCH / 1000), np.float64)
        return np.asarray(np.interp(self.steps, self.steps[there], told[there]), np.float64)

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
    number = number_of(value) if isinstance(value, int | float) else None
    return math.nan if number is None or math.isinf(number) else number


def distance(history: History) -> Column:
    """Distance of the samples to the data, in units of that between two halves of the data; about 1 is as good as it gets.

    NaN where the halves are equal, as those of a single image are.
    """
    return np.asarray(history["swd"] / np.where(history["swd_floor"] > 0, history["swd_floor"], np.nan))


def sameness(history: History) -> Column:
    """Diversity over contrast: low where samples have something on them, and all the same."""
    return np.asarray(history["diversity"] / np.where(history["contrast"] > 0, history["contrast"], np.nan))


def gained(values: Column, window: int) -> float:
    """By which share the median of the last `window` is below that of as many before; NaN where there are too few."""
    before = median(values[-2 * window : -window]) if len(values) >= 2 * window else math.nan
    return 1 - median(values[-window:]) / before if before > 0 else math.nan


def nearest(history: History) -> float:
    """The smallest distance in the window; NaN where there is none."""
    found = float(np.nanmin(distance(history)[-history.window :], initial=np.inf))
    return found if found < np.inf else math.nan


def pace_needed(now: float, poor: float, windows: float) -> float:
    """The share by which a distance has to fall in each window, to come from `now` to `poor` in so many of them."""
    return 1 - float((poor / now) ** (1 / windows))


def still_far(history: History, poor: float, windows: float) -> bool:
    """Whether samples are further from the data than `poor`, and at the pace of the last two windows (a seventh of the run
    each) would need more than `windows` of them to come that near.
    """
    now, won = nearest(history), gained(distance(history), history.window)
    return now > poor and won < pace_needed(now, poor, windows)


def evidence_of_far(history: History, poor: float, windows: float) -> list[Evidence]:
    """What `still_far` was concluded from."""
    now, won = nearest(history), gained(distance(history), history.window)
    pace = Evidence.at_least("share by which it fell of late", won, pace_needed(now, poor, windows))
    return [evidence_of_nearest(history, poor), pace]


def evidence_of_nearest(history: History, poor: float) -> Evidence:
    """That samples are further from the data than `poor`, at all records of late."""
    return Evidence.at_most("smallest distance to the data of late, over its floor", nearest(history), poor)


def growth(values: Column) -> float:
    """The last value over the first; NaN where one of them is not there."""
    there = values[~np.isnan(values)]
    return float(there[-1] / there[0]) if len(there) > 1 and there[0] > 0 else float("nan")


def scale_of_logits(history: History) -> Column:
    """Size of what D says, whichever sign it has."""
    return np.fmax(np.abs(history["logit_real"]), np.abs(history["logit_fake"]))


def at_full_rate(history: History, share: float = 0.3) -> bool:
    """Whether the learning rates have not been lowered: at the end of a schedule nothing moves, and nothing should."""
    for key in ("lr_g", "lr_d"):
        rates = history[key][~np.isnan(history[key])]
        if len(rates) and rates[-1] < share * rates.max():
            return False
    return True


def swings(values: Column) -> tuple[float, int]:
    """How far a series swings about its own trend, over its mean; and how often it crosses it. (0, 0) for a short one.

    Half of the range that holds the middle seven tenths, after a median of three: single outliers are no swing.
    """
    there = values[~np.isnan(values)]
    if len(there) < 8:
        return 0.0, 0
    time = np.arange(len(there))
    rest = there - np.polyval(np.polyfit(time, there, 1), time)
    calm = smoothed(rest, 3)
    crossings = int((np.sign(calm[1:]) * np.sign(calm[:-1]) < 0).sum())
    low, high = np.quantile(calm, [0.15, 0.85])
    return float((high - low) / 2 / max(abs(there.mean()), 1e-12)), crossings
