"""What could be used in the doctor's place on the same runs: a score each, higher the worse a run looks, and a threshold.

The threshold is the one with the largest balanced accuracy on the fitted part of the population.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ganglion.doctor.readers.objective import objective_of

__all__ = ["ALTERNATIVES", "Records", "Result", "Score", "by_score", "objective_of_losses", "of_losses", "threshold_of"]

Result = dict[str, Any]
Records = Sequence[Mapping[str, Any]]
Score = Callable[[Result, Records], float]
"""NaN where it cannot be told: no alarm then."""

LOSSES = ("step", "kimg", "loss_d", "loss_g", "non_finite")


def of_losses(records: Records) -> list[dict[str, Any]]:
    """Records as a log of losses would have them."""
    return [{key: record[key] for key in LOSSES if key in record} for record in records]


def objective_of_losses(records: Records) -> str:
    """What the losses look like to the doctor."""
    values = {
        key: np.array(
            [record[key] for record in records if record.get(key) is not None and record.get(other) is not None]
        )
        for key, other in (("loss_d", "loss_g"), ("loss_g", "loss_d"))
    }
    return objective_of({key: column for key, column in values.items() if len(column)}, ()).name


def not_finite(one: Result, records: Records) -> float:
    return float(any(record.get("non_finite") for record in records) or one["error"] is not None)


def _last(records: Records, key: str) -> float:
    """The mean over the last tenth of the records."""
    newest = [record[key] for record in records[-max(1, len(records) // 10) :] if record.get(key) is not None]
    return float(np.mean(newest)) if newest else math.nan


def small_loss(one: Result, records: Records) -> float:
    """D's loss near 0: the tutorials' rule."""
    return -abs(_last(records, "loss_d"))


def large_loss(one: Result, records: Records) -> float:
    return abs(_last(records, "loss_g"))


def no_diversity(one: Result, records: Records) -> float:
    return -_last(records, "diversity")


def measured(one: Result, records: Records, key: str) -> float:
    """A measurement at the end of the run, of samples or of networks."""
    value = one.get(key)
    return math.nan if value is None else float(value)


ALTERNATIVES: dict[str, Score] = {
    "NaN check": not_finite,
    "D's loss small": small_loss,
    "G's loss large": large_loss,
    "samples alike": no_diversity,
    "duality gap": partial(measured, key="duality_gap"),
    "nearest neighbours": partial(measured, key="neighbours"),
    "maximum mean discrepancy": partial(measured, key="discrepancy"),
}


def threshold_of(score: Score, known: list[Result], truth: dict[str, bool]) -> float:
    """Above it there is an alarm."""
    runs = [one for one in known if one["id"] in truth]
    values = np.array([score(one, one["records"]) for one in runs])
    ill = np.array([truth[one["id"]] for one in runs])
    finite = np.unique(values[np.isfinite(values)])
    middles = (finite[1:] + finite[:-1]) / 2
    if not len(middles) or ill.all() or not ill.any():
        return 0.5
    with np.errstate(invalid="ignore"):
        balanced = [(values[ill] > at).mean() + (values[~ill] <= at).mean() for at in middles]
    return float(middles[int(np.argmax(balanced))])


def by_score(
    score: Score, known: list[Result], truth: dict[str, bool]
) -> Callable[[Result, Records], tuple[bool, tuple[str, ...]]]:
    """An alarm where the score is above its threshold; it names no cause."""
    threshold = threshold_of(score, known, truth)
    return lambda one, records: (score(one, records) > threshold, ())
