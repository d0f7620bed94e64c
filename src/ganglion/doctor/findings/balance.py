"""One network beats the other: D wins, G wins, no gradient reaches G, one network is far larger."""

from __future__ import annotations

import numpy as np

from ganglion.doctor.evidence import Evidence
from ganglion.doctor.history import History, largest_mean_logit
from ganglion.doctor.progress import (
    convergence_evidence,
    distance_evidence,
    diversity_over_contrast,
    improving,
    not_converging,
    smallest_recent_distance,
)
from ganglion.doctor.remedies.by_hand import RIGHT_LABELS
from ganglion.doctor.remedies.losses import (
    BOUND_SLOPE,
    INSTANCE_NOISE,
    LOSS_THAT_REACHES_G,
    SMOOTH_LABELS,
    WEAKER_PENALTIES,
)
from ganglion.doctor.remedies.networks import EQUAL_SIZES, LEAKY_D, WIDER_D
from ganglion.doctor.remedies.rates import FASTER_D, LOWER_D
from ganglion.doctor.remedies.training import FEWER_D_STEPS, FEWER_G_STEPS, MORE_D_STEPS, MORE_STEPS_OF_THE_SMALLER
from ganglion.doctor.rule import Limits, Rule, RuleHit

__all__ = ["CAPACITY_IMBALANCE", "DISCRIMINATOR_WINS", "GENERATOR_WINS", "VANISHING_GENERATOR_GRADIENT"]


def discriminator_wins(history: History, limits: Limits) -> RuleHit | None:
    """Not reported under the Wasserstein loss, where the critic is meant to be optimal."""
    if history.has("separation"):
        since = history.lasting_since(history["separation"] > limits["separation"])
        if (
            since is None
            or history.has("earth_mover", 1)
            or not not_converging(history, limits["poor"], limits["windows"])
        ):
            return None
        lasting = len(history) - since >= 2 * history.window and not improving(history)
        return RuleHit(
            "failing" if lasting else "watch",
            since,
            [
                Evidence.at_most("AUC of D's logits", history.recent("separation"), limits["separation"]),
                *convergence_evidence(history, limits["poor"], limits["windows"]),
                Evidence.context("gradient at G's first layer", history.recent("grad_g_first")),
            ],
        )
    return from_probabilities_or_losses(history, limits)


def from_probabilities_or_losses(history: History, limits: Limits) -> RuleHit | None:
    """From D's mean probabilities or the losses, for logs without an AUC. Of samples nothing is said: they were not seen.

    Losses count only where they look logistic: with a hinge or a relativistic loss D at 0 is common in good runs.
    """
    if history.has("d_real") and history.has("d_fake"):
        sure = (history["d_real"] > limits["belief"]) & (history["d_fake"] < 1 - limits["belief"])
        since = history.lasting_since(sure & ~(history["loss_d"] > limits["unsure"]))
        evidence = [
            Evidence.at_most("D(real)", history.recent("d_real"), limits["belief"]),
            Evidence.at_least("D(fake)", history.recent("d_fake"), 1 - limits["belief"]),
        ]
    elif history.objective in LOGISTIC:
        positive = (
            (history["loss_d"] >= 0) & (history["loss_d"] < limits["loss_d"]) & (history["loss_g"] > limits["loss_g"])
        )
        since = history.lasting_since(positive)
        evidence = [
            Evidence.at_least("logistic loss of D", history.recent("loss_d"), limits["loss_d"]),
            Evidence.at_most("logistic loss of G", history.recent("loss_g"), limits["loss_g"]),
        ]
    else:
        return None
    return None if since is None else RuleHit("watch", since, evidence, WINS_UNSEEN, inferred=True)


WINS_UNSEEN = (
    "D separates reals from fakes almost perfectly, so its gradient may give G no direction that improves its samples. "
    "Whether samples still improve is not in the log: look at them."
)
LOGISTIC = ("", "logistic")
"""Objectives whose losses can be judged by the logistic loss; empty where records do not come from another program's log."""

DISCRIMINATOR_WINS = Rule(
    "discriminator-wins",
    discriminator_wins,
    "D separates reals from fakes perfectly, and samples are not approaching the data at a useful rate. D's gradient "
    "does not give G a direction that improves its samples.",
    (BOUND_SLOPE, LOWER_D, FEWER_D_STEPS, SMOOTH_LABELS, INSTANCE_NOISE),
    explains=(
        "vanishing-generator-gradient",
        "stalled",
    ),
)


def vanishing_generator_gradient(history: History, limits: Limits) -> RuleHit | None:
    grad = history["grad_g_first"] if history.has("grad_g_first") else history["grad_g"]
    if (~np.isnan(grad)).sum() < 2 * history.window:
        return None
    peak = float(np.nanmax(grad))
    since = history.lasting_since(grad < limits["share"] * peak)
    moved = history.recent("update_g")
    if since is None or smallest_recent_distance(history) <= limits["poor"] or moved >= limits["update"]:
        return None
    seen = history.has("swd", 1)
    return RuleHit(
        "failing" if seen else "watch",
        since,
        [
            Evidence.at_least(
                "gradient at G's first layer over its maximum", history.recent_of(grad) / peak, limits["share"]
            ),
            Evidence.at_least("update of G over its weights, per step", moved, limits["update"]),
            distance_evidence(history, limits["poor"]),
            Evidence.context("AUC of D's logits", history.recent("separation")),
        ],
        inferred=not seen,
    )


VANISHING_GENERATOR_GRADIENT = Rule(
    "vanishing-generator-gradient",
    vanishing_generator_gradient,
    "Hardly any gradient reaches G's first layer: D is saturated, so its output no longer changes with the image. G does "
    "not move while D's margin grows.",
    (LOSS_THAT_REACHES_G, BOUND_SLOPE, LOWER_D, INSTANCE_NOISE),
    explains=(
        "discriminator-wins",
        "stalled",
        "mode-collapse",
    ),
)


def generator_wins(history: History, limits: Limits) -> RuleHit | None:
    """Not reported where D still learns and all samples are one image: that is mode-collapse."""
    if not history.has("separation"):
        return from_losses(history, limits)
    since = history.lasting_since(history["separation"] < limits["separation"])
    if since is None or not not_converging(history, limits["poor"], limits["windows"]):
        return None
    if mislabelled(history, limits):
        return told_wrong_labels(history, since, limits)
    alike = history.recent_of(diversity_over_contrast(history)) < limits["sameness"]
    if alike and history.recent("update_d") > limits["update"]:
        return None
    lasting = len(history) - since >= 2 * history.window and not improving(history)
    return RuleHit(
        "failing" if lasting else "watch",
        since,
        [
            Evidence.at_least("AUC of D's logits", history.recent("separation"), limits["separation"]),
            *convergence_evidence(history, limits["poor"], limits["windows"]),
            Evidence.context("update of D over its weights, per step", history.recent("update_d")),
        ],
    )


def mislabelled(history: History, limits: Limits) -> bool:
    """Whether D ranks fakes above reals all the time, and is sure of neither: it was told both of each."""
    reversed_since = history.lasting_since(history["separation"] < limits["reversed"])
    return reversed_since is not None and history.recent_of(largest_mean_logit(history)) < limits["undecided"]


def told_wrong_labels(history: History, since: int, limits: Limits) -> RuleHit:
    return RuleHit(
        "watch" if improving(history) else "failing",
        since,
        [
            Evidence.at_least("AUC of D's logits", history.recent("separation"), limits["reversed"]),
            Evidence.at_least(
                "largest mean logit", history.recent_of(largest_mean_logit(history)), limits["undecided"]
            ),
            distance_evidence(history, limits["poor"]),
        ],
        "D ranks samples above reals all the time, and is sure of neither: about half of its labels are wrong, so it learns "
        "nothing that G could follow.",
        ideas=(RIGHT_LABELS,),
    )


def from_losses(history: History, limits: Limits) -> RuleHit | None:
    """From the losses, for logs without an AUC; only where they look logistic."""
    if history.objective not in LOGISTIC:
        return None
    since = history.lasting_since(
        (history["loss_g"] >= 0) & (history["loss_g"] < limits["loss_g"]) & (history["loss_d"] > limits["loss_d"])
    )
    if since is None:
        return None
    return RuleHit(
        "watch",
        since,
        [
            Evidence.at_least("logistic loss of G", history.recent("loss_g"), limits["loss_g"]),
            Evidence.at_most("logistic loss of D", history.recent("loss_d"), limits["loss_d"]),
        ],
        "D takes nearly every fake for a real image, so G gets no useful gradient. Whether samples are good is not in the log: "
        "look at them.",
        inferred=True,
    )


GENERATOR_WINS = Rule(
    "generator-wins",
    generator_wins,
    "D does not separate fakes from reals, although fakes are far from the data and do not approach it. D is too weak, too "
    "slow, or its units have died, so G gets no useful gradient.",
    (FASTER_D, FEWER_G_STEPS, MORE_D_STEPS, WEAKER_PENALTIES, WIDER_D, LEAKY_D, RIGHT_LABELS),
    explains=(
        "stalled",
        "mode-collapse",
        "partial-collapse",
        "noise-collapse",
        "blank-collapse",
    ),
)


def capacity_imbalance(history: History, limits: Limits) -> RuleHit | None:
    g, d = history.recent("parameters_g"), history.recent("parameters_d")
    if not g > 0 or not d > 0:
        return None
    separation = history["separation"]
    losing = history.lasting_since(separation > limits["sure"] if d > g else separation < limits["fooled"])
    ratio = max(g / d, d / g)
    if ratio <= limits["ratio"] or losing is None or not not_converging(history, limits["poor"], limits["windows"]):
        return None
    auc = history.recent("separation")
    return RuleHit(
        "watch",
        losing,
        [
            Evidence.at_most(
                "weights of D over those of G" if d > g else "weights of G over those of D", ratio, limits["ratio"]
            ),
            Evidence.at_most("AUC of D's logits", auc, limits["sure"])
            if d > g
            else Evidence.at_least("AUC of D's logits", auc, limits["fooled"]),
            *convergence_evidence(history, limits["poor"], limits["windows"]),
        ],
    )


CAPACITY_IMBALANCE = Rule(
    "capacity-imbalance",
    capacity_imbalance,
    "One network has many times as many weights as the other, and it wins. Longer training does not help the smaller one.",
    (EQUAL_SIZES, MORE_STEPS_OF_THE_SMALLER),
    explains=(
        "discriminator-wins",
        "generator-wins",
        "partial-collapse",
        "mode-collapse",
        "stalled",
    ),
)
