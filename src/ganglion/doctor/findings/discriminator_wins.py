"""discriminator-wins: D always tells, and G does not follow"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import R1
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import evidence_of_far, still_far
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    """A critic under the Wasserstein loss is meant to be as good as it can: there it is no fault."""
    if chart.has("separation"):
        since = chart.lasts(chart["separation"] > limits["separation"])
        if since is None or chart.has("earth_mover", 1) or not still_far(chart, limits["poor"], limits["windows"]):
            return None
        longer = len(chart) - since >= 2 * chart.window
        return Suspicion(
            "failing" if longer else "watch",
            since,
            [
                Evidence.at_most("separation", chart.recent("separation"), limits["separation"]),
                *evidence_of_far(chart, limits["poor"], limits["windows"]),
                Evidence.context("gradient at G's first layer", chart.recent("grad_g_first")),
            ],
        )
    return by_beliefs(chart, limits)


def by_beliefs(chart: Chart, limits: Limits) -> Suspicion | None:
    """What losses and D's mean beliefs can say of it, where there is no more."""
    if chart.has("d_real") and chart.has("d_fake"):
        since = chart.lasts((chart["d_real"] > limits["belief"]) & (chart["d_fake"] < 1 - limits["belief"]))
        seen = [
            Evidence.at_most("D(real)", chart.recent("d_real"), limits["belief"]),
            Evidence.at_least("D(fake)", chart.recent("d_fake"), 1 - limits["belief"]),
        ]
    else:
        positive = (chart["loss_d"] >= 0) & (chart["loss_d"] < limits["loss_d"]) & (chart["loss_g"] > limits["loss_g"])
        since = chart.lasts(positive)
        seen = [
            Evidence.at_least("logistic loss of D", chart.recent("loss_d"), limits["loss_d"]),
            Evidence.at_most("logistic loss of G", chart.recent("loss_g"), limits["loss_g"]),
        ]
    return None if since is None else Suspicion("watch", since, seen, inferred=True)


RULE = Rule(
    "discriminator-wins",
    look,
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
