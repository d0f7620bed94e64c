"""mode-collapse: all samples are the same picture"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import PAIRS, STDDEV
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import distance, sameness
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    alike = sameness(chart)
    since = chart.lasts((alike < limits["sameness"]) & (chart["contrast"] > limits["contrast"]))
    far = chart.recent_of(distance(chart))
    if since is None or far <= limits["poor"]:
        return None
    return Suspicion(
        "failing",
        since,
        [
            Evidence.at_least("diversity of samples over their contrast", chart.recent_of(alike), limits["sameness"]),
            Evidence.at_most("distance to the data over its floor", far, limits["poor"]),
            Evidence.context("diversity of samples over that of reals", chart.recent("diversity")),
            Evidence.context("contrast of samples over that of reals", chart.recent("contrast")),
        ],
    )


RULE = Rule(
    "mode-collapse",
    look,
    "Every latent gives nearly the same picture. G has found one that D takes for real, and D, which sees "
    "one image at a time, cannot object to its being everywhere.",
    (
        STDDEV,
        PAIRS,
        Remedy(
            "Let D keep up: fewer updates of G, a lower rate of G",
            "--set balance.g_steps=1 --set optimizer.generator.lr=0.0001",
            "one update of G for one of D",
        ),
    ),
    explains=(
        "generator-wins",
        "discriminator-wins",
        "partial-collapse",
        "oscillation",
        "stalled",
    ),
)
