"""A run's history as a row of numbers (F,), for the probability that it ends well and for the search of similar runs.

Each is a statistic of the newest records. Sizes, growths and quotients count by their logarithm to base 2, so that twice as
much is one step wherever it begins. What the records lack is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganglion.doctor.history import History, at_largest_rate, median
from ganglion.doctor.progress import distance, relative_decrease

__all__ = ["FROM_LOSSES", "FROM_VITALS", "Feature", "features"]

SMALLEST = 2.0**-40  # sizes below count as this


class Feature(NamedTuple):
    statistic: Callable[[History], float]
    is_size: bool = True
    """Whether it counts by its logarithm."""
    direction: Literal[-1, 0, 1] = 0
    """-1: a larger number never makes a good end more likely; 1: never less likely; 0: either."""

    def shown(self, number: float) -> float:
        """The statistic of a feature's number."""
        return 2.0**number if self.is_size else number


def features(history: History, chosen: Mapping[str, Feature]) -> NDArray[np.float64]:
    """The numbers (F,) of `chosen`, in its order."""
    with np.errstate(all="ignore"):  # quotients of missing values are NaN, as they should be
        values = [_number(one, one.statistic(history)) for one in chosen.values()]
    return np.array(values, np.float64)


def _number(feature: Feature, value: float) -> float:
    if not math.isfinite(value):
        return math.nan
    return math.log2(max(abs(value), SMALLEST)) if feature.is_size else float(value)


def _recent(key: str) -> Callable[[History], float]:
    return lambda history: history.recent(key)


def _growth(key: str) -> Feature:
    """The newest window's median over the first one's."""
    return Feature(lambda history: history.recent(key) / _not_zero(history.early(key)))


def _not_zero(value: float) -> float:
    return max(abs(value), SMALLEST) if value == value else value


def _spread(key: str) -> Feature:
    """Middle half of the newest values, over their median."""

    def spread(history: History) -> float:
        newest = history[key][-2 * history.window :]
        known = newest[~np.isnan(newest)]
        if len(known) < 4:
            return math.nan
        low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
        return float((high - low) / _not_zero(float(middle)))

    return Feature(spread)


def _over_minimum(history: History) -> float:
    far = distance(history)
    known = far[~np.isnan(far)]
    return median(far[-history.window :]) / _not_zero(float(known.min())) if len(known) else math.nan


def _update(player: Literal["g", "d"]) -> Feature:
    """Relative update per step; a schedule that ends makes it small in good and bad runs alike, so as at the largest rate."""
    return Feature(lambda history: history.recent_of(at_largest_rate(history, player)))


FOUND = Feature(lambda history: history.worst, is_size=False, direction=-1)
"""Of the worst finding: 0 none, 1 watch, 2 failing."""
IMAGES = Feature(lambda history: float(history.kimg[-1]))

FROM_VITALS: dict[str, Feature] = {
    "severity of the worst finding": FOUND,
    "SWD to the data over its floor": Feature(lambda history: history.recent_of(distance(history)), direction=-1),
    "SWD to the data over its minimum": Feature(_over_minimum, direction=-1),
    "recent relative decrease of the SWD": Feature(
        lambda history: relative_decrease(distance(history), history.window), is_size=False
    ),
    "diversity of samples over that of reals": Feature(_recent("diversity")),
    "contrast of samples over that of reals": Feature(_recent("contrast")),
    "share of samples with a near-duplicate": Feature(_recent("duplicates"), is_size=False, direction=-1),
    "change of samples under another latent": Feature(_recent("z_response")),
    "AUC of D's logits": Feature(_recent("separation"), is_size=False),
    "relative update of G's weights": _update("g"),
    "relative update of D's weights": _update("d"),
    "thousands of images": IMAGES,
}
"""By what they are called in evidence. More of them made the forecasts for programs that were left out worse."""

FROM_LOSSES: dict[str, Feature] = {
    "severity of the worst finding": FOUND,
    "loss of D": Feature(_recent("loss_d"), is_size=False),
    "loss of G": Feature(_recent("loss_g"), is_size=False),
    "size of D's loss": Feature(_recent("loss_d")),
    "size of G's loss": Feature(_recent("loss_g")),
    "growth of D's loss": _growth("loss_d"),
    "growth of G's loss": _growth("loss_g"),
    "spread of D's loss": _spread("loss_d"),
    "spread of G's loss": _spread("loss_g"),
    "thousands of images": IMAGES,
}
