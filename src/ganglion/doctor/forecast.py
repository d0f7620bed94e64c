"""What the samples of a run are worth, whether that still improves, and how much longer it would take: a function of records.

The relative distance d of snapshots is taken to change as a power of the images shown: log d = a + b log kimg, fitted to the
newer half of the snapshots. A curve that bends towards a level above the goal gets there later than is said, or never.
T snapshots.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganglion.doctor.history import Column, History, lr_not_decayed, median

__all__ = ["GOAL", "Forecast", "Trend", "forecast"]

GOAL = 0.1
"""Relative distance at which samples count as done, once it no longer falls. Other real images are within 0.05 of 0; digits of
MNIST that are good stand at 0.01, photographs of animals in which none can be named at 0.15."""

Trend = Literal["falling", "flat", "rising", "unclear"]

FEWEST = 4  # snapshots for a trend
FITTED = 6  # newest snapshots that are fitted, where half of them are fewer
SMALLEST = 0.02  # smaller distances are noise around 0, of which there is no logarithm
SLIGHT = 0.035  # slope at which twice the images change the distance by 2.4 %
FLAT = 0.15  # slope at which twice the images lower it by 10 %
FURTHEST = 8.0  # times the images so far: nothing is said beyond
QUANTILES = (math.inf, 3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372)  # Student's t, 90 %
SEEN = {"falling": "still falling", "flat": "no longer falling", "rising": "rising", "unclear": "no clear trend"}


@dataclass(frozen=True)
class Forecast:
    """The relative distance of the newest snapshot, and what can be expected of a longer run."""

    relative_distance: float
    """0: as other real images; 1: as samples of a Gaussian fitted to the pixels."""
    goal: float
    reached: bool
    """Whether the median of the three newest snapshots is at the goal."""
    done: bool
    """Whether the goal is reached, and the distance no longer falls."""
    trend: Trend
    more_kimg: float | None
    """Thousands of images until the goal, at this trend; None where it does not fall, or not within 8 times those so far."""
    more_minutes: float | None
    """The same at the pace of the last half of the run."""
    more_minutes_range: tuple[float, float | None] | None
    """80 % interval of it; without an upper end where the trend may be as slow as that."""
    minutes: float | None
    """So far."""
    ended: bool
    """Whether the learning rates have fallen to their end, so that the run cannot simply go on."""

    @property
    def short(self) -> str:
        """For a status line."""
        value = f"relative distance {self.relative_distance:.2f}"
        if self.done:
            return value
        more = "" if self.more_minutes is None else f", about {_duration(self.more_minutes)} more"
        return f"{value}, {SEEN[self.trend]}{more}"

    def text(self, own_run: bool = True, advise: bool = True) -> str:
        """In a few sentences. `own_run`: advice is options of `ganglion train`; `advise`: with any advice."""
        scale = f"0: as other real images; 1: as a Gaussian of the pixels; goal {self.goal:g}"
        found = f"relative distance {self.relative_distance:.2f} ({scale}), {SEEN[self.trend]}"
        if self.done:
            return f"{found}. The goal is reached."
        if self.reached:
            again = " (--fresh --minutes N)" if own_run and self.ended else ""
            return f"{found}. The goal is reached, and a longer run still improves the samples{again}."
        return f"{found}. {self._advice(own_run)}".rstrip() if advise else f"{found}."

    def _advice(self, own_run: bool) -> str:
        if self.trend == "flat":
            change = ": a wider G (generator.width), another recipe, or more images" if own_run else ""
            return f"A longer run alone is not expected to help; a change may{change}."
        if self.trend == "rising":
            return f"Do not go on from here{': the best checkpoint is kept' if own_run else ''}."
        if self.trend == "unclear":
            return "Too little is known to say how much longer it takes."
        if self.more_minutes is None:
            return f"At this pace the goal is further away than {FURTHEST:g} times the images so far."
        low, high = self.more_minutes_range or (self.more_minutes, None)
        between = f"at least {_duration(low)}" if high is None else f"{_duration(low)} to {_duration(high)}"
        return f"About {_duration(self.more_minutes)} more at this pace ({between}){self._option(own_run)}."

    def _option(self, own_run: bool) -> str:
        if not own_run or self.minutes is None or self.more_minutes is None:
            return ""
        total = math.ceil(self.minutes + self.more_minutes)
        return (
            f": --fresh --minutes {total}, since the learning rates have ended"
            if self.ended
            else f": --minutes {total}"
        )


def forecast(history: History, goal: float = GOAL) -> Forecast | None:
    """The forecast after the newest record; None while no snapshot has a relative distance."""
    known = np.flatnonzero(~np.isnan(history["relative_distance"]) & (history.kimg > 0))
    if not len(known):
        return None
    values, kimg = history["relative_distance"][known], history.kimg[known]
    reached = median(values[-3:]) <= goal
    fit = _fit(kimg, values) if len(known) >= FEWEST else None
    trend = fit.trend if fit else "unclear"
    done = reached and trend != "falling"
    more = None if reached or fit is None or trend != "falling" else fit.more(goal, float(history.kimg[-1]))
    best, between = more if more else (None, None)
    pace = _minutes_per_kimg(history)
    return Forecast(
        round(float(values[-1]), 4), goal, bool(reached), bool(done), trend, best, _times(best, pace),
        None if between is None or pace is None else (between[0] * pace, _times(between[1], pace)),
        _times(history.last("seconds"), 1 / 60), not lr_not_decayed(history),
    )  # fmt: skip


class _Line(NamedTuple):
    """log d = level + slope (log kimg - centre), with 80 % intervals of level and slope."""

    centre: float
    level: float
    slope: float
    level_error: float
    slope_error: float

    @property
    def trend(self) -> Trend:
        steepest, shallowest = self.slope - self.slope_error, self.slope + self.slope_error
        if shallowest < 0 and self.slope < -SLIGHT:
            return "falling"
        if steepest > 0 and self.slope > SLIGHT:
            return "rising"
        return "flat" if steepest > -FLAT else "unclear"

    def more(self, goal: float, now: float) -> tuple[float, tuple[float, float | None]] | None:
        """Thousands of images after `now` until d is `goal`: the estimate and its interval; None where it is too far away."""
        best = self._reached(goal, self.slope, 0.0, now)
        soonest = self._reached(goal, self.slope - self.slope_error, -self.level_error, now)
        latest = self._reached(goal, self.slope + self.slope_error, self.level_error, now)
        return None if best is None else (best, (soonest or 0.0, latest))

    def _reached(self, goal: float, slope: float, higher: float, now: float) -> float | None:
        """With another slope and a level higher by so much."""
        away = (math.log(goal) - self.level - higher) / slope if slope < 0 else math.inf
        return max(0.0, math.exp(self.centre + away) - now) if self.centre + away < math.log(now * FURTHEST) else None


def _fit(kimg: Column, values: Column) -> _Line:
    """Least squares over the newer half of T values, at least FITTED of them."""
    newest = max(FITTED, math.ceil(len(values) / 2))
    x, y = np.log(kimg[-newest:]), np.log(np.maximum(values[-newest:], SMALLEST))
    n, centred = len(x), x - x.mean()
    slope = float(centred @ y / (centred @ centred)) if centred.any() else 0.0
    deviation = math.sqrt(_squares(y - y.mean() - slope * centred) / (n - 2))
    quantile = QUANTILES[n - 2] if n - 2 < len(QUANTILES) else 1.3
    spread = math.sqrt(_squares(centred)) or math.inf
    return _Line(
        float(x.mean()), float(y.mean()), slope, quantile * deviation / math.sqrt(n), quantile * deviation / spread
    )


def _squares(values: NDArray[np.float64]) -> float:
    return float(values @ values)


def _minutes_per_kimg(history: History) -> float | None:
    """Over the last half of the images; None where the records have no clock."""
    known = np.flatnonzero(~np.isnan(history["seconds"]))
    if len(known) < 2:
        return None
    kimg, seconds = history.kimg[known], history["seconds"][known]
    half = int(np.searchsorted(kimg, kimg[-1] / 2, side="right")) - 1
    first = max(0, min(half, len(known) - 2))
    images = float(kimg[-1] - kimg[first])
    return float(seconds[-1] - seconds[first]) / 60 / images if images > 0 else None


def _times(value: float | None, factor: float | None) -> float | None:
    return None if value is None or factor is None or math.isnan(value) else value * factor


def _duration(minutes: float) -> str:
    """In minutes or hours, with no more digits than such an estimate has."""
    if minutes < 90:
        whole = max(1, round(minutes))
        return f"{whole} minute{'s' if whole > 1 else ''}"
    return f"{minutes / 60:.1f} hours" if minutes < 60 * 48 else f"{minutes / 1440:.1f} days"
