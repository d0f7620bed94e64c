"""Whether samples approach the data: their distance, and how it has changed lately. T records, oldest first."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from ganglion.doctor.evidence import Evidence
from ganglion.doctor.history import Column, History, median, running_median

__all__ = [
    "convergence_evidence",
    "distance",
    "distance_evidence",
    "diversity_over_contrast",
    "harm",
    "has_begun_only",
    "improvement",
    "improvement_evidence",
    "improving",
    "not_converging",
    "relative_decrease",
    "smallest_recent_distance",
]

IMPROVED, SLIGHT, FIRST_STEPS = 0.05, 0.001, 400
"""Relative decrease of the distance that counts as an improvement, the least that is one at all, and updates of G that no run
can do without."""
IMPROVEMENT = "decrease of the smallest distance in the last two windows"


def distance(history: History) -> Column:
    """SWD of the samples to the data over its floor, the SWD between two halves of the data; about 1 is the optimum.

    NaN where the floor is 0, as for a data set of one image.
    """
    return np.asarray(history["swd"] / np.where(history["swd_floor"] > 0, history["swd_floor"], np.nan))


def diversity_over_contrast(history: History) -> Column:
    """Low where samples are alike without being blank."""
    return np.asarray(history["diversity"] / np.where(history["contrast"] > 0, history["contrast"], np.nan))


def smallest_recent_distance(history: History) -> float:
    """The smallest distance in the window; NaN where there is none."""
    smallest = float(np.nanmin(distance(history)[-history.window :], initial=np.inf))
    return smallest if smallest < np.inf else math.nan


def distance_evidence(history: History, poor: float) -> Evidence:
    """The distance to the data is above `poor` in all recent records."""
    return Evidence.at_most("smallest recent SWD to the data over its floor", smallest_recent_distance(history), poor)


def relative_decrease(values: Column, window: int) -> float:
    """By which share the median of the last `window` values is below that of the window before; NaN for too few values."""
    before = median(values[-2 * window : -window]) if len(values) >= 2 * window else math.nan
    return 1 - median(values[-window:]) / before if before > 0 else math.nan


def required_decrease(now: float, poor: float, windows: float) -> float:
    """Relative decrease per window that takes a distance from `now` to `poor` in so many windows."""
    return 1 - float((poor / now) ** (1 / windows))


def not_converging(history: History, poor: float, windows: float) -> bool:
    """Whether the distance to the data is above `poor` and, at the rate of the last two windows (15 % of the run each), would
    need more than `windows` windows to fall to it, or has not been below its smallest before in these two windows.
    """
    now, decrease = smallest_recent_distance(history), relative_decrease(distance(history), history.window)
    return now > poor and (decrease < required_decrease(now, poor, windows) or improvement(history) < SLIGHT)


def convergence_evidence(history: History, poor: float, windows: float) -> list[Evidence]:
    """The numbers behind `not_converging`."""
    now, decrease = smallest_recent_distance(history), relative_decrease(distance(history), history.window)
    required = required_decrease(now, poor, windows)
    if decrease >= required:
        return [distance_evidence(history, poor), Evidence.at_least(IMPROVEMENT, improvement(history), SLIGHT)]
    return [distance_evidence(history, poor), Evidence.at_least("its recent relative decrease", decrease, required)]


def improving(history: History) -> bool:
    """Whether samples have lately come nearer to the data than they ever were, or the run has hardly begun.

    Most runs in which D wins at first, or whose samples look alike for a while, recover as long as this holds.
    """
    lately = (improvement(history), improvement(history, ago=history.window // 2))
    return has_begun_only(history) or any(share >= IMPROVED for share in lately)


def has_begun_only(history: History, updates: float = FIRST_STEPS) -> bool:
    """Whether G had fewer updates than that; False where records do not count them."""
    return bool(history.unit == "step" and history.steps[-1] < updates)


def improvement(history: History, ago: int = 0) -> float:
    """By which share the smallest distance of the last two windows is below the smallest before, so many records ago; NaN where
    one is unknown. Of running medians of three records.
    """
    nearest = running_median(distance(history)[: len(history) - ago], 3)
    since = max(0, len(nearest) - 2 * history.window)
    before, lately = (np.nanmin(part, initial=np.inf) for part in (nearest[:since], nearest[since:]))
    return float(1 - lately / before) if before < np.inf else math.nan


def improvement_evidence(history: History) -> Evidence:
    return Evidence.at_least(IMPROVEMENT, improvement(history), IMPROVED)


def harm(history: History, poor: float = 2.5) -> Literal["watch", "failing"]:
    """The severity of a mistake that some trainings survive: failing where samples are far from the data and have not improved
    lately, would take as long as the run so far to come near them, or were not measured.
    """
    now = smallest_recent_distance(history)
    if math.isnan(now):
        return "failing"
    slow = not has_begun_only(history) and not_converging(history, poor, len(history) / history.window)
    return "watch" if now <= poor or (improving(history) and not slow) else "failing"
