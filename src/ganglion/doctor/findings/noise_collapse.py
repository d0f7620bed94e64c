"""noise-collapse: samples are noise"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import AVERAGE, SLOWER_G
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import distance
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    state = chart["fine"] > limits["fine"]
    since = chart.lasts(state)
    if since is None or len(chart) < 2 * chart.window:
        return None
    before = chart["fine"][: since + 1]
    turned = bool(np.nanmin(before[1:], initial=np.inf) * limits["turned"] < chart.recent("fine"))
    full = chart.recent("saturation") > limits["saturated"] + chart.recent("saturation_real")
    if not (turned or full) or not bool(np.nanmin(distance(chart)[-chart.window :], initial=np.inf) > limits["poor"]):
        return None
    return Suspicion(
        "failing",
        since,
        [
            Evidence("fine detail of samples over that of reals", chart.recent("fine"), f"below {limits['fine']:g}"),
            Evidence(
                "distance to the data over its floor", float(np.nanmedian(distance(chart)[-chart.window :])), "about 1"
            ),
        ],
    )


RULE = Rule(
    "noise-collapse",
    look,
    "Samples have many times the fine detail of real images: they are noise. G's updates are larger than "
    "what it has learnt, or it has been driven to the ends of its tanh.",
    (
        SLOWER_G,
        AVERAGE,
        Remedy(
            "Give G a norm, or penalise D's gradient",
            "--set generator.norm=batch",
            "BatchNorm2d in G; R1 on D",
        ),
    ),
    explains=(
        "discriminator-wins",
        "stalled",
        "late-collapse",
        "vanishing-generator-gradient",
    ),
)
