"""Learning rates that are too high and too low, by how much weights move in a step."""

from __future__ import annotations

import numpy as np

from ganglion.doctor.evidence import Evidence
from ganglion.doctor.history import Column, History, at_largest_rate, growth, lr_not_decayed, median
from ganglion.doctor.progress import (
    convergence_evidence,
    distance_evidence,
    has_begun_only,
    improving,
    not_converging,
    smallest_recent_distance,
)
from ganglion.doctor.remedies.rates import CONSTANT, COSINE, LOWER_BOTH, RAISE_BOTH, RAISE_G, WARM_UP
from ganglion.doctor.rule import Limits, Rule, RuleHit
from ganglion.doctor.verdict import Severity

__all__ = ["LEARNING_RATE_TOO_HIGH", "LEARNING_RATE_TOO_LOW"]


def learning_rate_too_high(history: History, limits: Limits) -> RuleHit | None:
    grown = {name: growth(history[f"weight_{name}"]) for name in "gd"}
    moved = {name: float(np.nanmax(history[f"update_{name}"], initial=0.0)) for name in "gd"}
    lasting = {n: max(history.early(f"update_{n}"), history.recent(f"update_{n}")) for n in "gd"}
    replaced = {n: lasting[n] > limits["extreme"] for n in "gd"}
    replaced["d"] &= not history.has("clip_share", 1)  # clipping the first weights is no update
    fast = [n for n in "gd" if (grown[n] > limits["growth"] and moved[n] > limits["update"]) or replaced[n]]
    if not fast or len(history) < history.window or smallest_recent_distance(history) <= limits["poor"]:
        return None
    evidence = []
    for name in fast:
        who = name.upper()
        if grown[name] > limits["growth"]:
            evidence.append(
                Evidence.at_most(f"weight norm of {who} over its initial value", grown[name], limits["growth"])
            )
        evidence.append(
            Evidence.at_most(f"largest update of {who} over its weights, per step", moved[name], limits["update"])
        )
    evidence.append(distance_evidence(history, limits["poor"]))
    since = next(int(i) for i in np.flatnonzero(history[f"update_{fast[0]}"] > limits["update"]))
    hopeless = not_converging(history, limits["poor"], limits["windows"]) and not improving(history)
    severity: Severity = "failing" if hopeless else "watch"
    overshot = "" if any(grown[name] > limits["growth"] for name in fast) else REPLACED
    return RuleHit(severity, since, evidence, overshot)


REPLACED = (
    "Each update changes so large a share of the weights that nothing of them is left after a few steps. Adam moves every "
    "weight by about the learning rate, whatever the size of the gradient."
)
LEARNING_RATE_TOO_HIGH = Rule(
    "learning-rate-too-high",
    learning_rate_too_high,
    "Each update changes a large share of the weights, so they overshoot and grow instead of converging. Adam moves every "
    "weight by about the learning rate, whatever the size of the gradient.",
    (LOWER_BOTH, WARM_UP, COSINE),
    explains=(
        "noise-collapse",
        "blank-collapse",
        "oscillation",
        "growing-oscillation",
        "late-collapse",
        "exploding-gradient",
        "mode-collapse",
        "discriminator-wins",
        "generator-wins",
        "partial-collapse",
        "learning-rate-too-low",
        "vanishing-generator-gradient",
        "stalled",
    ),
)


def learning_rate_too_low(history: History, limits: Limits) -> RuleHit | None:
    return standing_still(history, limits) or slow_updates(history, limits)


def standing_still(history: History, limits: Limits) -> RuleHit | None:
    """Of a schedule that has come to its end, small updates count where they were small at its full rates, or where it came to
    its end in the first half of the run.
    """
    if not not_converging(history, limits["poor"], limits["windows"]):
        return None
    moved = np.fmax(history["update_g"], history["update_d"])
    since = history.lasting_since(moved < limits["update"])
    if since is None and lr_not_decayed(history):
        return slow_generator(history, limits)
    ended = not lr_not_decayed(history) and at_full_rates(history, moved) >= limits["update"]
    if since is None or (ended and since > len(history) // 2):
        return None
    why = (
        f"The learning rates have been nearly 0 since {history.unit} {int(history.steps[since]):,}, before samples were near "
        "the data: their schedule ends too early, or is counted in other units than the training."
    )
    return RuleHit(
        "failing" if len(history) - since >= 2 * history.window and not improving(history) else "watch",
        since,
        [
            *(
                Evidence.at_least(
                    f"update of {who.upper()} over its weights, per step",
                    history.recent(f"update_{who}"),
                    limits["update"],
                )
                for who in "gd"
            ),
            *convergence_evidence(history, limits["poor"], limits["windows"]),
        ],
        why if ended else "",
        ideas=(CONSTANT,) if ended else (),
    )


def slow_generator(history: History, limits: Limits) -> RuleHit | None:
    """G alone has hardly moved from the start: samples stay what they were, often noise, and D has long won."""
    since = history.lasting_since(history["update_g"] < limits["update_g"])
    of_d = history.recent("update_d")
    if since is None or float(np.nanmax(history["update_g"], initial=0.0)) >= limits["update_g"]:
        return None
    if not (of_d >= limits["update_g"] or history.recent("separation") > limits["learned"]):
        return None
    return RuleHit(
        "failing" if len(history) - since >= 2 * history.window and not improving(history) else "watch",
        since,
        [
            Evidence.at_least("update of G over its weights, per step", history.recent("update_g"), limits["update_g"]),
            Evidence.context("update of D over its weights, per step", of_d),
            *convergence_evidence(history, limits["poor"], limits["windows"]),
        ],
        "G's updates are so small that its samples stay what they were at initialisation, while D learns to separate them from "
        "reals. At this rate the budget ends before anything is learned.",
    )


def slow_updates(history: History, limits: Limits) -> RuleHit | None:
    """G's updates are smaller than those of nearly all runs that end well, were never much larger, and samples are far away."""
    moved = at_largest_rate(history, "g")
    since = history.lasting_since(moved < limits["usual"])
    if since is None or has_begun_only(history) or not smallest_recent_distance(history) > limits["poor"]:
        return None
    if float(np.nanmax(moved, initial=0.0)) > limits["ever"]:
        return None
    return RuleHit(
        "watch",
        since,
        [
            Evidence.at_least(
                "update of G over its weights, per step, as at its largest learning rate",
                history.recent_of(moved),
                limits["usual"],
            ),
            distance_evidence(history, limits["poor"]),
            Evidence.context("update of D over its weights, per step", history.recent("update_d")),
        ],
        "G's weights change less in a step than those of nearly all trainings that end well, and samples are far from the "
        "data: G's learning rate may be some times too low.",
        ideas=(RAISE_G, RAISE_BOTH),
    )


def at_full_rates(history: History, moved: Column, share: float = 0.3) -> float:
    """The median of updates (T,) while either learning rate was at `share` of its maximum; NaN where no rate is known."""
    full = np.zeros(len(history), bool)
    for key in ("lr_g", "lr_d"):
        full |= history[key] >= share * np.nanmax(history[key], initial=-np.inf)
    return median(moved[full])


LEARNING_RATE_TOO_LOW = Rule(
    "learning-rate-too-low",
    learning_rate_too_low,
    "Updates are so small that weights and samples stay as they were at initialisation. At this rate the budget ends "
    "before anything is learned.",
    (RAISE_BOTH, RAISE_G, CONSTANT),
    explains=(
        "stalled",
        "discriminator-wins",
        "blank-collapse",
        "mode-collapse",
        "noise-collapse",
        "vanishing-generator-gradient",
    ),
)
