"""One player beats the other: D wins, G wins, no gradient reaches G, one network is far larger."""

from __future__ import annotations

import numpy as np

from ganglion.doctor.history import History, evidence_of_far, evidence_of_nearest, nearest, sameness, still_far
from ganglion.doctor.rule import R1, Limits, Rule, RuleHit
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["CAPACITY_IMBALANCE", "DISCRIMINATOR_WINS", "GENERATOR_WINS", "VANISHING_GENERATOR_GRADIENT"]


def discriminator_wins(history: History, limits: Limits) -> RuleHit | None:
    """A critic under the Wasserstein loss is meant to be as good as it can: there it is no fault."""
    if history.has("separation"):
        since = history.lasts(history["separation"] > limits["separation"])
        if since is None or history.has("earth_mover", 1) or not still_far(history, limits["poor"], limits["windows"]):
            return None
        longer = len(history) - since >= 2 * history.window
        return RuleHit(
            "failing" if longer else "watch",
            since,
            [
                Evidence.at_most("separation", history.recent("separation"), limits["separation"]),
                *evidence_of_far(history, limits["poor"], limits["windows"]),
                Evidence.context("gradient at G's first layer", history.recent("grad_g_first")),
            ],
        )
    return by_beliefs(history, limits)


def by_beliefs(history: History, limits: Limits) -> RuleHit | None:
    """What losses and D's mean beliefs can say of it, where there is no more."""
    if history.has("d_real") and history.has("d_fake"):
        since = history.lasts((history["d_real"] > limits["belief"]) & (history["d_fake"] < 1 - limits["belief"]))
        seen = [
            Evidence.at_most("D(real)", history.recent("d_real"), limits["belief"]),
            Evidence.at_least("D(fake)", history.recent("d_fake"), 1 - limits["belief"]),
        ]
    else:
        positive = (
            (history["loss_d"] >= 0) & (history["loss_d"] < limits["loss_d"]) & (history["loss_g"] > limits["loss_g"])
        )
        since = history.lasts(positive)
        seen = [
            Evidence.at_least("logistic loss of D", history.recent("loss_d"), limits["loss_d"]),
            Evidence.at_most("logistic loss of G", history.recent("loss_g"), limits["loss_g"]),
        ]
    return None if since is None else RuleHit("watch", since, seen, inferred=True)


DISCRIMINATOR_WINS = Rule(
    "discriminator-wins",
    discriminator_wins,
    "D tells every real image from every fake, and has done so while samples came no nearer to the data. "
    "G is told that it is wrong and not in which direction it would be less so.",
    (
        R1,
        Remedy(
            "Lower D's learning rate, or raise G's",
            "--set optimizer.discriminator.lr=0.00005 --set optimizer.generator.lr=0.0002",
            "a quarter of D's learning rate",
        ),
        Remedy(
            "Smooth the labels of reals, or add noise to what D sees",
            "--set objective.real_label=0.9 --set objective.instance_noise.std=0.1",
            "0.9 instead of 1 for reals, Salimans et al. 2016",
        ),
    ),
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
    since = history.lasts(grad < limits["share"] * peak)
    moved = history.recent("update_g")
    if since is None or nearest(history) <= limits["poor"] or moved >= limits["update"]:
        return None
    return RuleHit(
        "failing",
        since,
        [
            Evidence.at_least(
                "gradient at G's first layer over its largest", history.recent_of(grad) / peak, limits["share"]
            ),
            Evidence.at_least("change of G's weights in a step, over their size", moved, limits["update"]),
            evidence_of_nearest(history, limits["poor"]),
            Evidence.context("separation", history.recent("separation")),
        ],
    )


VANISHING_GENERATOR_GRADIENT = Rule(
    "vanishing-generator-gradient",
    vanishing_generator_gradient,
    "Hardly any gradient reaches G's first layers: D is so sure that its opinion no longer changes with "
    "the image. G stands still while D grows surer.",
    (
        Remedy(
            "Use a loss whose gradient does not vanish where D is sure",
            "--set objective.adversarial=non-saturating",
            "-log D(G(z)) instead of log(1 - D(G(z)))",
        ),
        R1,
        Remedy(
            "Lower D's learning rate, or add noise to what it sees",
            "--set optimizer.discriminator.lr=0.0001 --set objective.instance_noise.std=0.1",
            "instance noise, Sønderby et al. 2017",
        ),
    ),
    explains=(
        "discriminator-wins",
        "stalled",
        "mode-collapse",
    ),
)


def generator_wins(history: History, limits: Limits) -> RuleHit | None:
    """Where D moves and all samples are one picture, D is fooled by that picture: this is mode-collapse."""
    if not history.has("separation"):
        return by_losses(history, limits)
    since = history.lasts(history["separation"] < limits["separation"])
    if since is None or not still_far(history, limits["poor"], limits["windows"]):
        return None
    if history.recent_of(sameness(history)) < limits["sameness"] and history.recent("update_d") > limits["update"]:
        return None
    longer = len(history) - since >= 2 * history.window
    return RuleHit(
        "failing" if longer else "watch",
        since,
        [
            Evidence.at_least("separation", history.recent("separation"), limits["separation"]),
            *evidence_of_far(history, limits["poor"], limits["windows"]),
            Evidence.context("change of D's weights in a step, over their size", history.recent("update_d")),
        ],
    )


def by_losses(history: History, limits: Limits) -> RuleHit | None:
    """What losses can say of it, where there is no more."""
    since = history.lasts(
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
        inferred=True,
    )


GENERATOR_WINS = Rule(
    "generator-wins",
    generator_wins,
    "D cannot tell fakes from real images, though fakes are far from them and come no nearer. D is too "
    "weak, too slow, or its units have died; G is rewarded for anything.",
    (
        Remedy(
            "Raise D's learning rate, or lower G's",
            "--set optimizer.discriminator.lr=0.0004 --set optimizer.generator.lr=0.0001",
            "twice D's learning rate",
        ),
        Remedy(
            "Give D more updates, or more width",
            "--set balance.d_steps=2 --set discriminator.width=64",
            "two updates of D for one of G",
        ),
        Remedy(
            "Weaken its penalties, and use leaky ReLU, whose units cannot die",
            "--set 'objective.penalties=[{kind: r1, weight: 0.1, interval_updates: 4}]' "
            "--set discriminator.activation=leaky-relu",
            "LeakyReLU(0.2)",
        ),
    ),
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
    losing = history.lasts(separation > limits["sure"] if d > g else separation < limits["fooled"])
    ratio = max(g / d, d / g)
    if ratio <= limits["ratio"] or losing is None or not still_far(history, limits["poor"], limits["windows"]):
        return None
    told = history.recent("separation")
    return RuleHit(
        "watch",
        losing,
        [
            Evidence.at_most(
                "weights of D over those of G" if d > g else "weights of G over those of D", ratio, limits["ratio"]
            ),
            Evidence.at_most("separation", told, limits["sure"])
            if d > g
            else Evidence.at_least("separation", told, limits["fooled"]),
            *evidence_of_far(history, limits["poor"], limits["windows"]),
        ],
    )


CAPACITY_IMBALANCE = Rule(
    "capacity-imbalance",
    capacity_imbalance,
    "One network has many times the weights of the other, and it is the one that wins. The smaller one "
    "cannot follow, however long it is trained.",
    (
        Remedy(
            "Bring the widths together",
            "--set generator.width=32 --set discriminator.width=32",
            "equal numbers of feature maps at equal resolutions",
        ),
        Remedy(
            "Give the smaller player more updates, or a higher rate",
            "--set balance.g_steps=2",
            "two updates of G for one of D",
        ),
    ),
    explains=(
        "discriminator-wins",
        "generator-wins",
        "partial-collapse",
        "mode-collapse",
        "stalled",
    ),
)
