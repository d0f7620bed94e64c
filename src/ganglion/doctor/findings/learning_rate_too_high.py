"""learning-rate-too-high: weights run away"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import SLOWER
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import evidence_of_nearest, growth, nearest, still_far
from ganglion.doctor.verdict import Evidence, Remedy, Severity

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    grown = {name: growth(chart[f"weight_{name}"]) for name in "gd"}
    moved = {name: float(np.nanmax(chart[f"update_{name}"], initial=0.0)) for name in "gd"}
    fast = [n for n in "gd" if grown[n] > limits["growth"] and moved[n] > limits["update"]]
    if not fast or len(chart) < chart.window or nearest(chart) <= limits["poor"]:
        return None
    seen = []
    for name in fast:
        who = name.upper()
        seen += [
            Evidence.at_most(f"weights of {who} over what they were", grown[name], limits["growth"]),
            Evidence.at_most(
                f"largest change of {who}'s weights in a step, over their size", moved[name], limits["update"]
            ),
        ]
    seen.append(evidence_of_nearest(chart, limits["poor"]))
    since = next(int(i) for i in np.flatnonzero(chart[f"update_{fast[0]}"] > limits["update"]))
    severity: Severity = "failing" if still_far(chart, limits["poor"], limits["windows"]) else "watch"
    return Suspicion(severity, since, seen)


RULE = Rule(
    "learning-rate-too-high",
    look,
    "Each update changes a good part of the weights at once, so that they overshoot and grow instead of "
    "settling. Adam moves every weight by about its learning rate, whatever the gradient.",
    (
        SLOWER,
        Remedy(
            "Let the rates rise slowly, and fall towards the end",
            "--set optimizer.warmup_kimg=5 --set optimizer.schedule=cosine",
            "a warm-up and a cosine schedule",
        ),
    ),
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
