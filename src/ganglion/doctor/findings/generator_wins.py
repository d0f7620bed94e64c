"""generator-wins: D cannot tell samples that are far from the data"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import sameness, still_far
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    """Where D moves and all samples are one picture, D is fooled by that picture: this is mode-collapse."""
    if chart.has("separation"):
        since = chart.lasts(chart["separation"] < limits["separation"])
        if since is None or not still_far(chart, limits["poor"], limits["windows"]):
            return None
        alike = float(np.nanmedian(sameness(chart)[-chart.window :])) < limits["sameness"]
        if alike and chart.recent("update_d") > limits["update"]:
            return None
        longer = len(chart) - since >= 2 * chart.window
        return Suspicion(
            "failing" if longer else "watch",
            since,
            [
                Evidence("separation", chart.recent("separation"), "0.55 to 0.99"),
                Evidence(
                    "distance to the data over its floor",
                    chart.recent("swd") / chart.recent("swd_floor"),
                    "about 1, or falling",
                ),
                Evidence("change of D's weights in a step, over their size", chart.recent("update_d"), "above 0.0001"),
            ],
        )
    since = chart.lasts(
        (chart["loss_g"] >= 0) & (chart["loss_g"] < limits["loss_g"]) & (chart["loss_d"] > limits["loss_d"])
    )
    if since is None:
        return None
    return Suspicion(
        "watch",
        since,
        [
            Evidence("loss of G", chart.recent("loss_g"), f"above {limits['loss_g']:g} for a logistic loss"),
            Evidence("loss of D", chart.recent("loss_d"), f"below {limits['loss_d']:g} for a logistic loss"),
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
