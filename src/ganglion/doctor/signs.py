"""Series that several findings ask for. T records; NaN where a record lacks what is needed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ganglion.doctor.chart import Chart, Column, smoothed

__all__ = [
    "at_full_rate", "distance", "gained", "growth", "lasting", "sameness", "scale_of_logits", "still_far", "swings",
]  # fmt: skip


def distance(chart: Chart) -> Column:
    """Distance of the samples to the data, in units of that between two halves of the data; about 1 is as good as it gets."""
    return np.asarray(chart["swd"] / chart["swd_floor"])


def sameness(chart: Chart) -> Column:
    """Diversity over contrast: low where samples have something on them, and all the same."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(chart["contrast"] > 0, chart["diversity"] / chart["contrast"], np.nan)


def gained(values: Column, window: int) -> float:
    """By which share the median of the last `window` is below that of as many before; NaN where there are too few."""
    recent, before = values[-window:], values[-2 * window : -window]
    if np.isnan(recent).all() or len(before) < window or np.isnan(before).all():
        return float("nan")
    return float(1 - np.nanmedian(recent) / max(float(np.nanmedian(before)), 1e-12))


def still_far(chart: Chart, poor: float, windows: float) -> bool:
    """Whether samples are further from the data than `poor`, and at the pace of the last two windows (a seventh of the run
    each) would need more than `windows` of them to come that near.
    """
    far = distance(chart)
    won = gained(far, chart.window)
    now = float(np.nanmin(far[-chart.window :], initial=np.inf))
    if math.isnan(won) or not poor < now < np.inf:
        return False
    return won <= 0 or math.log(now / poor) / -math.log1p(-min(won, 0.999)) > windows


def growth(values: Column) -> float:
    """The last value over the first; NaN where one of them is not there."""
    there = values[~np.isnan(values)]
    return float(there[-1] / there[0]) if len(there) > 1 and there[0] > 0 else float("nan")


def lasting(chart: Chart, state: NDArray[np.bool_], times: float = 1.0) -> int | None:
    """`chart.lasts`, for a state that has to hold for `times` the usual window."""
    begin = chart.lasts(state)
    return begin if begin is not None and len(state) - begin >= times * chart.window else None


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
