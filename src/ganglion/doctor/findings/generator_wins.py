"""generator-wins: D cannot tell samples that are far from the data"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import evidence_of_far, sameness, still_far
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    """Where D moves and all samples are one picture, D is fooled by that picture: this is mode-collapse."""
    if not chart.has("separation"):
        return by_losses(chart, limits)
    since = chart.lasts(chart["separation"] < limits["separation"])
    if since is None or not still_far(chart, limits["poor"], limits["windows"]):
        return None
    if chart.recent_of(sameness(chart)) < limits["sameness"] and chart.recent("update_d") > limits["update"]:
        return None
    longer = len(chart) - since >= 2 * chart.window
    return Suspicion(
        "failing" if longer else "watch",
        since,
        [
            Evidence.at_least("separation", chart.recent("separation"), limits["separation"]),
            *evidence_of_far(chart, limits["poor"], limits["windows"]),
            Evidence.context("change of D's weights in a step, over their size", chart.recent("update_d")),
        ],
    )


def by_losses(chart: Chart, limits: Limits) -> Suspicion | None:
    """What losses can say of it, where there is no more."""
    since = chart.lasts(
        (chart["loss_g"] >= 0) & (chart["loss_g"] < limits["loss_g"]) & (chart["loss_d"] > limits["loss_d"])
    )
    if since is None:
        return None
    return Suspicion(
        "watch",
        since,
        [
            Evidence.at_least("logistic loss of G", chart.recent("loss_g"), limits["loss_g"]),
            Evidence.at_most("logistic loss of D", chart.recent("loss_d"), limits["loss_d"]),
        ],
        inferred=True,
    )


RULE = Rule(
    "generator-wins",
    look,
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
            "--set 'objective.penalties=[{kind: r1, weight: 0.1, every: 4}]' --set discriminator.activation=leaky-relu",
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
