"""Optimisation: exploding gradients, initialisation."""

from __future__ import annotations

import math

from ganglion.doctor.evidence import Evidence
from ganglion.doctor.history import History, growth, largest_mean_logit
from ganglion.doctor.progress import (
    convergence_evidence,
    not_converging,
)
from ganglion.doctor.remedies.losses import BOUND_SLOPE
from ganglion.doctor.remedies.networks import KAIMING, NORM_IN_G, NORMAL_WITH_NORMS, SPECTRAL_NORM
from ganglion.doctor.remedies.rates import LOWER_D
from ganglion.doctor.rule import Limits, Rule, RuleHit

__all__ = [
    "BAD_INITIALIZATION",
    "EXPLODING_GRADIENT",
    "PENALTIES",
]


PENALTIES = {"loss_d_wgan_gp", "loss_d_wgan_lp", "loss_d_r1", "loss_d_r2", "loss_d_dragan"}
"""Where a record holds the penalties on D's gradient."""


def exploding_gradient(history: History, limits: Limits) -> RuleHit | None:
    """Not reported for another program's Wasserstein log: the level of a critic's output is arbitrary there, and drifts."""
    if history.objective == "wasserstein":
        return None
    logits = largest_mean_logit(history)
    size, times = history.recent_of(logits), growth(logits)
    grown = {who: growth_since_early(history, f"grad_{who}") for who in "gd"}
    wild = [who for who in "gd" if grown[who] > limits["growth"]]
    since = history.lasting_since(logits > limits["logit"])
    if len(history) < 2 * history.window or since is None or not (wild or times > limits["growth"]):
        return None
    evidence = [Evidence.at_most("size of D's logits", size, limits["logit"])]
    evidence += [
        Evidence.at_most(f"gradient of {who.upper()} over its initial value", grown[who], limits["growth"])
        for who in wild
    ]
    if times > limits["growth"]:
        evidence.append(Evidence.at_most("size of D's logits over its initial value", times, limits["growth"]))
    penalties = [size for key in PENALTIES if (size := history.recent(key)) > 0]
    if penalties:
        evidence.append(Evidence.context("penalty on D's gradient", max(penalties)))
    return RuleHit("failing", since, evidence)


def growth_since_early(history: History, key: str) -> float:
    """The median over the window over that of the first records; NaN where one of them was not measured or is 0."""
    early = history.early(key)
    return history.recent(key) / early if early > 0 else math.nan


EXPLODING_GRADIENT = Rule(
    "exploding-gradient",
    exploding_gradient,
    "D's logits, and with them all gradients, grow from record to record: nothing bounds D's slope. It ends in non-finite "
    "numbers.",
    (BOUND_SLOPE, SPECTRAL_NORM, LOWER_D),
    explains=(
        "learning-rate-too-high",
        "discriminator-wins",
        "mode-collapse",
        "blank-collapse",
        "stalled",
        "oscillation",
        "vanishing-generator-gradient",
        "partial-collapse",
    ),
)


def bad_initialization(history: History, limits: Limits) -> RuleHit | None:
    if (
        history.steps[0] > 0
        or len(history) < 2 * history.window
        or not not_converging(history, limits["poor"], limits["windows"])
    ):
        return None
    saturated, fine, contrast = (float(history[key][0]) for key in ("saturation", "fine", "contrast"))
    since_then = convergence_evidence(history, limits["poor"], limits["windows"])
    if saturated > limits["saturated"] and fine > limits["noise"]:
        return RuleHit(
            "failing",
            0,
            [
                Evidence.at_most("share of saturated pixels in the first samples", saturated, limits["saturated"]),
                Evidence.at_most("fine detail of the first samples over that of reals", fine, limits["noise"]),
                *since_then,
            ],
            f"The initial weights are too large: G's tanh starts saturated. {BAD_INITIALIZATION.why}",
        )
    if contrast < limits["faint"]:
        return RuleHit(
            "failing",
            0,
            [
                Evidence.at_least("contrast of the first samples over that of reals", contrast, limits["faint"]),
                *since_then,
            ],
            f"The initial weights are too small: signals vanish from layer to layer. {BAD_INITIALIZATION.why}",
        )
    return None


BAD_INITIALIZATION = Rule(
    "bad-initialization",
    bad_initialization,
    "At initialisation, G's samples are saturated noise or uniform gray, where gradients are too small to learn from, and "
    "samples have hardly approached the data since.",
    (KAIMING, NORMAL_WITH_NORMS, NORM_IN_G),
    explains=(
        "noise-collapse",
        "discriminator-wins",
        "blank-collapse",
        "mode-collapse",
        "stalled",
        "partial-collapse",
        "vanishing-generator-gradient",
    ),
)
