"""oscillation: samples come and go"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import AVERAGE, R1
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import distance, swings
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    values = distance(chart) if chart.has("swd") else chart["fid"]
    half = len(values) // 2
    if half < limits["records"]:
        return None
    size, crossings = swings(values[half:])
    if size <= limits["swing"] or crossings < limits["crossings"]:
        return None
    return Suspicion(
        "watch",
        half,
        [
            Evidence.at_most("swing of the distance about its trend, over its mean", size, limits["swing"]),
            Evidence.at_most("times that it crossed its trend", crossings, limits["crossings"] - 1),
        ],
    )


RULE = Rule(
    "oscillation",
    look,
    "The distance to the data goes up and down by a good part of itself: the two players chase each other "
    "in circles. How good the samples are is then a matter of when one stops.",
    (
        R1,
        Remedy(
            "Take momentum out of the optimisers, and lower both rates",
            "--set optimizer.generator.beta1=0 --set optimizer.discriminator.beta1=0 --set "
            "optimizer.generator.lr=0.0001 --set optimizer.discriminator.lr=0.0001",
            "betas=(0.0, 0.99)",
        ),
        AVERAGE,
    ),
)
