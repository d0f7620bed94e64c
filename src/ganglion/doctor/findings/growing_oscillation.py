"""growing-oscillation: swings that get larger"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import NO_MOMENTUM, R1
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import distance, swings
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    values = distance(chart) if chart.has("swd") else chart["fid"]
    third = len(values) // 3
    if third < limits["records"]:
        return None
    before, (now, crossings) = swings(values[third : 2 * third])[0], swings(values[2 * third :])
    if now <= limits["swing"] or now <= limits["growth"] * before or crossings < limits["crossings"]:
        return None
    name = "swing of the distance about its trend, over its mean"
    return Suspicion(
        "failing",
        2 * third,
        [
            Evidence.at_most(name, now, limits["swing"]),
            Evidence.at_most(
                f"the same against that in the third of the run before, {before:.3g}", now, limits["growth"] * before
            ),
            Evidence.at_most("times that it crossed its trend", crossings, limits["crossings"] - 1),
        ],
    )


RULE = Rule(
    "growing-oscillation",
    look,
    "The distance to the data swings, and each swing is larger than the one before. The two players chase "
    "each other around the solution and spiral outwards instead of inwards.",
    (
        R1,
        NO_MOMENTUM,
        Remedy(
            "Lower both rates towards the end, and average G",
            "--set optimizer.schedule=cosine --set ema.halflife_kimg=20",
            "an exponential moving average of G",
        ),
    ),
    explains=(
        "oscillation",
        "late-collapse",
    ),
)
