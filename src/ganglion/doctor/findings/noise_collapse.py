"""noise-collapse: samples are noise"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import AVERAGE, SLOWER_G
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import evidence_of_nearest, nearest
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    since = chart.lasts(chart["fine"] > limits["fine"])
    if since is None or len(chart) < 2 * chart.window or nearest(chart) <= limits["poor"]:
        return None
    fine, least = chart.recent("fine"), float(np.nanmin(chart["fine"][1 : since + 1], initial=np.inf))
    full = chart.recent("saturation") - chart.recent("saturation_real")
    seen = []
    if limits["turned"] * least < fine:
        name = f"fine detail of samples over that of reals, after {least:.3g} at its least"
        seen.append(Evidence.at_most(name, fine, max(limits["fine"], limits["turned"] * least)))
    if full > limits["saturated"]:
        seen += [
            Evidence.at_most("fine detail of samples over that of reals", fine, limits["fine"]),
            Evidence.at_most("share of saturated pixels beyond that of reals", full, limits["saturated"]),
        ]
    return Suspicion("failing", since, [*seen, evidence_of_nearest(chart, limits["poor"])]) if seen else None


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
