"""Series that several findings ask for. T records; NaN where a record lacks what is needed."""

from __future__ import annotations

import math

import numpy as np

from ganglion.doctor.chart import Chart, Column, median, smoothed
from ganglion.doctor.verdict import Evidence

__all__ = [
    "at_full_rate",
    "distance",
    "evidence_of_far",
    "evidence_of_nearest",
    "gained",
    "growth",
    "nearest",
    "sameness",
    "scale_of_logits",
    "still_far",
    "swings",
]


def distance(chart: Chart) -> Column:
    """Distance of the samples to the data, in units of that between two halves of the data; about 1 is as good as it gets.

    NaN where the halves are equal, as those of a single image are.
    """
    return np.asarray(chart["swd"] / np.where(chart["swd_floor"] > 0, chart["swd_floor"], np.nan))


def sameness(chart: Chart) -> Column:
    """Diversity over contrast: low where samples have something on them, and all the same."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(chart["contrast"] > 0, chart["diversity"] / chart["contrast"], np.nan)


def gained(values: Column, window: int) -> float:
    """By which share the median of the last `window` is below that of as many before; NaN where there are too few."""
    before = median(values[-2 * window : -window]) if len(values) >= 2 * window else math.nan
    return 1 - median(values[-window:]) / before if before > 0 else math.nan


def nearest(chart: Chart) -> float:
    """The smallest distance in the window; NaN where there is none."""
    found = float(np.nanmin(distance(chart)[-chart.window :], initial=np.inf))
    return found if found < np.inf else math.nan


def pace_needed(now: float, poor: float, windows: float) -> float:
    """The share by which a distance has to fall in each window, to come from `now` to `poor` in so many of them."""
    return 1 - float((poor / now) ** (1 / windows))


def still_far(chart: Chart, poor: float, windows: float) -> bool:
    """Whether samples are further from the data than `poor`, and at the pace of the last two windows (a seventh of the run
    each) would need more than `windows` of them to come that near.
    """
    now, won = nearest(chart), gained(distance(chart), chart.window)
    return now > poor and won < pace_needed(now, poor, windows)


def evidence_of_far(chart: Chart, poor: float, windows: float) -> list[Evidence]:
    """What `still_far` was concluded from."""
    now, won = nearest(chart), gained(distance(chart), chart.window)
    pace = Evidence.at_least("share by which it fell of late", won, pace_needed(now, poor, windows))
    return [evidence_of_nearest(chart, poor), pace]


def evidence_of_nearest(chart: Chart, poor: float) -> Evidence:
    """That samples are further from the data than `poor`, at all records of late."""
    return Evidence.at_most("smallest distance to the data of late, over its floor", nearest(chart), poor)


def growth(values: Column) -> float:
    """The last value over the first; NaN where one of them is not there."""
    there = values[~np.isnan(values)]
    return float(there[-1] / there[0]) if len(there) > 1 and there[0] > 0 else float("nan")


def scale_of_logits(chart: Chart) -> Column:
    """Size of what D says, whichever sign it has."""
    return np.fmax(np.abs(chart["logit_real"]), np.abs(chart["logit_fake"]))


def at_full_rate(chart: Chart, share: float = 0.3) -> bool:
    """Whether the learning rates have not been lowered: at the end of a schedule nothing moves, and nothing should."""
    for key in ("lr_g", "lr_d"):
        rates = chart[key][~np.isnan(chart[key])]
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
