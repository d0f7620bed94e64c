"""Convergence: oscillation of samples and losses, no more progress, and a bad end that all numbers together foretell."""

from __future__ import annotations

import math

import numpy as np

from ganglion.doctor.evidence import Evidence
from ganglion.doctor.forecast import forecast
from ganglion.doctor.history import History, amplitude_and_crossings, lr_not_decayed, median
from ganglion.doctor.probability import from_vitals
from ganglion.doctor.progress import distance, has_begun_only, improvement_evidence, improving, smallest_recent_distance
from ganglion.doctor.remedies.losses import BOUND_SLOPE, PAIRS
from ganglion.doctor.remedies.networks import MORE_LATENT, WIDER_G
from ganglion.doctor.remedies.rates import COSINE, LONGER_AVERAGE, LOWER_BOTH, NO_MOMENTUM
from ganglion.doctor.remedies.training import ANOTHER_RECIPE
from ganglion.doctor.rule import Limits, Rule, RuleHit

__all__ = ["GROWING_OSCILLATION", "NON_CONVERGENCE", "OSCILLATION", "STALLED"]


def growing_oscillation(history: History, limits: Limits) -> RuleHit | None:
    """Watch while the distance as such still falls, or samples are near the data; failing where it does not."""
    values = distance(history) if history.has("swd") else history["fid"]
    third = len(values) // 3
    if third < limits["records"] or history.kimg[-1] < limits["kimg"]:
        return None
    before, _ = amplitude_and_crossings(values[third : 2 * third])
    now, crossings = amplitude_and_crossings(values[2 * third :])
    if now <= limits["swing"] or now <= limits["growth"] * before or crossings < limits["crossings"]:
        return None
    name = "amplitude of the distance around its trend, over its mean"
    level = median(values[2 * third :]) / median(values[third : 2 * third])
    return RuleHit(
        "watch" if level < 1 or smallest_recent_distance(history) <= limits["near"] else "failing",
        2 * third,
        [
            Evidence.at_most(name, now, limits["swing"]),
            Evidence.at_most(
                f"the same compared with the third of the run before, {before:.3g}", now, limits["growth"] * before
            ),
            Evidence.at_most("crossings of the trend", crossings, limits["crossings"] - 1),
            Evidence.context("median distance over that in the third before", level),
        ],
    )


GROWING_OSCILLATION = Rule(
    "growing-oscillation",
    growing_oscillation,
    "The distance to the data oscillates with a growing amplitude. G and D rotate around the equilibrium and spiral "
    "outwards instead of converging.",
    (BOUND_SLOPE, NO_MOMENTUM, COSINE, LOWER_BOTH),
    explains=(
        "oscillation",
        "late-collapse",
    ),
)


def oscillation(history: History, limits: Limits) -> RuleHit | None:
    values = distance(history) if history.has("swd") else history["fid"]
    half = len(values) // 2
    if half < limits["records"] or history.kimg[-1] < limits["kimg"]:
        return None
    size, crossings = amplitude_and_crossings(values[half:])
    if size <= limits["swing"] or crossings < limits["crossings"]:
        return None
    return RuleHit(
        "watch",
        half,
        [
            Evidence.at_most("amplitude of the distance around its trend, over its mean", size, limits["swing"]),
            Evidence.at_most("crossings of the trend", crossings, limits["crossings"] - 1),
        ],
    )


OSCILLATION = Rule(
    "oscillation",
    oscillation,
    "The distance to the data oscillates by a large share of its mean: G and D cycle. The quality of the samples then "
    "depends on when training stops.",
    (BOUND_SLOPE, NO_MOMENTUM, LONGER_AVERAGE, LOWER_BOTH),
)


def stalled(history: History, limits: Limits) -> RuleHit | None:
    far = distance(history)
    third = len(far) // 3
    if len(far) // 2 < limits["records"] or history.kimg[-1] < limits["kimg"] or not lr_not_decayed(history):
        return None
    before, now = median(far[third : 2 * third]), median(far[-third:])
    decrease = 1 - now / before if before > 0 else math.nan
    if not (now > limits["poor"] and decrease < limits["gain"]):
        return None
    return RuleHit(
        "watch",
        len(far) - 2 * third,
        [
            Evidence.at_most("SWD to the data over its floor", now, limits["poor"]),
            Evidence.at_least("its relative decrease in the last third of the run", decrease, limits["gain"]),
        ],
    )


STALLED = Rule(
    "stalled",
    stalled,
    "Samples are still far from the data, and the distance has not fallen in the last third of the run, although both "
    "networks are updated. G may be too small for these images, or G and D are at a poor equilibrium.",
    (WIDER_G, BOUND_SLOPE, MORE_LATENT, PAIRS),
)


def non_convergence(history: History, limits: Limits) -> RuleHit | None:
    """Only where no other finding is failing. The chance is asked now and half a window ago, with what is found now."""
    ago = max(1, history.window // 2)
    if history.worst == 2 or has_begun_only(history, limits["updates"]) or len(history) - ago < limits["records"]:
        return None
    earlier = History(history.records[:-ago], history.objective)
    earlier.worst = history.worst
    chances = from_vitals(history), from_vitals(earlier)
    if any(map(math.isnan, chances)):
        return None
    chance = max(chances)
    if far := out_of_reach(history, chance, limits):
        return far
    if chance >= limits["even"]:
        return None
    is_failing = chance < limits["chance"] and not improving(history)
    return RuleHit(
        "failing" if is_failing else "watch",
        len(history) - 1 - ago,
        [
            Evidence.at_least(CHANCE, chance, limits["chance" if is_failing else "even"]),
            *([improvement_evidence(history)] if is_failing else []),
            Evidence.context("SWD to the data over its floor", smallest_recent_distance(history)),
            Evidence.context("diversity of samples over that of reals", history.recent("diversity")),
        ],
    )


CHANCE, GAUSSIAN, SNAPSHOTS = "chance of a good end, the larger of now and half a window ago", 1.0, 3


def out_of_reach(history: History, chance: float, limits: Limits) -> RuleHit | None:
    """Samples are far worse than a Gaussian of the pixels, and would be so after eight times as many images; not where the
    chance speaks against it.
    """
    measured = np.flatnonzero(~np.isnan(history["relative_distance"]))[-SNAPSHOTS:]
    nearest = float(np.min(history["relative_distance"][measured], initial=np.inf))
    ahead = forecast(history, GAUSSIAN)
    if ahead is None or ahead.trend == "unclear" or ahead.more_kimg is not None:
        return None
    if not (limits["far"] < nearest < np.inf and chance < limits["likely"]):
        return None
    return RuleHit(
        "failing",
        int(measured[0]),
        [
            Evidence.at_most(f"smallest relative distance of {len(measured)} snapshots", nearest, limits["far"]),
            Evidence.at_least(CHANCE, chance, limits["likely"]),
        ],
        f"Samples are more than {limits['far']:g} times as far from the data as those of a Gaussian of the pixels. At the pace "
        "so far eight times as many images would not bring them as near as that.",
    )


NON_CONVERGENCE = Rule(
    "non-convergence",
    non_convergence,
    "All numbers together are those of trainings that end badly: most that look like this never come near their data. No "
    "single number tells the cause.",
    (ANOTHER_RECIPE, BOUND_SLOPE, WIDER_G, PAIRS),
    is_summary=True,
)
