"""A run's history as a row of numbers (F,), for the probability that it ends well and for the search of similar runs.

Each is a statistic of the newest records. Sizes, growths and quotients count by their logarithm to base 2, so that twice as
much is one step wherever it begins. What the records lack is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganglion.doctor.history import History, largest_mean_logit, median
from ganglion.doctor.progress import distance, relative_decrease

__all__ = ["FROM_LOSSES", "FROM_VITALS", "Feature", "features"]

SMALLEST = 2.0**-40  # sizes below count as this


class Feature(NamedTuple):
    statistic: Callable[[History], float]
    is_size: bool = True
    """Whether it counts by its logarithm."""

    def shown(self, number: float) -> float:
        """The statistic of a feature's number."""
        return 2.0**number if self.is_size else number


def features(history: History, chosen: Mapping[str, Feature], severity: int) -> NDArray[np.float64]:
    """The numbers (F,) of `chosen`, in its order. `severity` of the worst finding: 0 none, 1 watch, 2 failing."""
    with np.errstate(all="ignore"):  # quotients of missing values are NaN, as they should be
        values = [float(severity) if one is FOUND else _number(one, one.statistic(history)) for one in chosen.values()]
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


def _quotient(key: str, other: str) -> Feature:
    return Feature(lambda history: history.recent(key) / _not_zero(history.recent(other)))


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


def _range_apart(history: History) -> float:
    """By how much the largest or the smallest values of reals and of samples differ."""
    low = history.recent_of(history.part("range_real", 0) - history.part("range_fake", 0))
    high = history.recent_of(history.part("range_real", 1) - history.part("range_fake", 1))
    return max(abs(low), abs(high))


FOUND = Feature(lambda history: math.nan, is_size=False)
"""Of the worst finding: 0 none, 1 watch, 2 failing; given, as the history does not know it."""
IMAGES = Feature(lambda history: float(history.kimg[-1]))

FROM_VITALS: dict[str, Feature] = {
    "severity of the worst finding": FOUND,
    "AUC of D's logits": Feature(_recent("separation"), is_size=False),
    "AUC of D's logits in eval mode": Feature(_recent("separation_eval"), is_size=False),
    "AUC with the reals' border on fakes": Feature(_recent("separation_framed"), is_size=False),
    "largest mean logit": Feature(lambda history: history.recent_of(largest_mean_logit(history))),
    "SWD to the data over its floor": Feature(lambda history: history.recent_of(distance(history))),
    "SWD to the data over its minimum": Feature(_over_minimum),
    "recent relative decrease of the SWD": Feature(
        lambda history: relative_decrease(distance(history), history.window), is_size=False
    ),
    "relative distance": Feature(_recent("relative_distance")),
    "diversity of samples over that of reals": Feature(_recent("diversity")),
    "contrast of samples over that of reals": Feature(_recent("contrast")),
    "fine detail of samples over that of reals": Feature(_recent("fine")),
    "energy at the Nyquist frequency over that of reals": Feature(_recent("checkerboard")),
    "share of samples with a near-duplicate": Feature(_recent("duplicates"), is_size=False),
    "share of saturated pixels minus that of reals": Feature(
        lambda history: history.recent("saturation") - history.recent("saturation_real"), is_size=False
    ),
    "change of samples under another latent": Feature(_recent("z_response")),
    "change of samples from train to eval mode": Feature(_recent("train_eval")),
    "range of reals and of samples apart": Feature(_range_apart),
    "gradient at G's first layer": Feature(_recent("grad_g_first")),
    "gradient at D's first layer": Feature(_recent("grad_d_first")),
    "growth of the gradient at G's first layer": _growth("grad_g_first"),
    "growth of G's weights": _growth("weight_g"),
    "growth of D's weights": _growth("weight_d"),
    "relative update of G's weights": Feature(_recent("update_g")),
    "relative update of D's weights": Feature(_recent("update_d")),
    "update of G over that of D": _quotient("update_g", "update_d"),
    "share of dead units in G": Feature(_recent("dead_g"), is_size=False),
    "share of dead units in D": Feature(_recent("dead_d"), is_size=False),
    "weights of G over those of D": _quotient("parameters_g", "parameters_d"),
    "thousands of images": IMAGES,
}
"""By what they are called in evidence."""

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
