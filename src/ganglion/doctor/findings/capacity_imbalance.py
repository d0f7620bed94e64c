"""capacity-imbalance: one player is far larger"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import evidence_of_far, still_far
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    g, d = chart.recent("parameters_g"), chart.recent("parameters_d")
    if not g > 0 or not d > 0:
        return None
    separation = chart["separation"]
    losing = chart.lasts(separation > limits["sure"] if d > g else separation < limits["fooled"])
    ratio = max(g / d, d / g)
    if ratio <= limits["ratio"] or losing is None or not still_far(chart, limits["poor"], limits["windows"]):
        return None
    told = chart.recent("separation")
    return Suspicion(
        "watch",
        losing,
        [
            Evidence.at_most(
                "weights of D over those of G" if d > g else "weights of G over those of D", ratio, limits["ratio"]
            ),
            Evidence.at_most("separation", told, limits["sure"])
            if d > g
            else Evidence.at_least("separation", told, limits["fooled"]),
            *evidence_of_far(chart, limits["poor"], limits["windows"]),
        ],
    )


RULE = Rule(
    "capacity-imbalance",
    look,
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
