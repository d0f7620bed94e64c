"""partial-collapse: samples fall into few kinds"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import PAIRS, STDDEV
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import distance, sameness
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    alike, twins = sameness(chart), chart["duplicates"]
    state = ((alike < limits["sameness"]) | (twins > limits["duplicates"])) & (chart["contrast"] > limits["contrast"])
    since = chart.lasts(state)
    if since is None or (alike[-chart.window :] < limits["full"]).mean() > 0.5:
        return None
    either = [
        Evidence.at_least("diversity of samples over their contrast", chart.recent_of(alike), limits["sameness"]),
        Evidence.at_most("share of samples that have a twin", chart.recent_of(twins), limits["duplicates"]),
    ]
    decided = [one for one in either if not one.fits] or [
        Evidence.at_most("share of the last records with one or the other", float(state[-chart.window :].mean()), 0.5)
    ]
    return Suspicion(
        "watch",
        since,
        [
            *decided,
            Evidence.context("diversity of samples over that of reals", chart.recent("diversity")),
            Evidence.context("distance to the data over its floor", chart.recent_of(distance(chart))),
        ],
    )


RULE = Rule(
    "partial-collapse",
    look,
    "Samples look right one by one, but there are few kinds of them: many are nearly equal, or they "
    "differ far less than real images do. Part of the data is not drawn at all.",
    (
        STDDEV,
        Remedy(
            "Give the latent more dimensions",
            "--set latent.dim=64",
            "z of 64 to 128 numbers",
        ),
        PAIRS,
    ),
    explains=("stalled",),
)
