"""partial-collapse: samples fall into few kinds"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import PAIRS, STDDEV
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import distance, sameness
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    alike = (sameness(chart) < limits["sameness"]) & (chart["contrast"] > limits["contrast"])
    twins = (chart["duplicates"] > limits["duplicates"]) & (chart["contrast"] > limits["contrast"])
    since = chart.lasts(alike | twins)
    if since is None or (sameness(chart)[-chart.window :] < limits["full"]).mean() > 0.5:
        return None
    return Suspicion(
        "watch",
        since,
        [
            Evidence("diversity of samples over that of reals", chart.recent("diversity"), "about 1"),
            Evidence(
                "share of samples that have a twin", chart.recent("duplicates"), f"below {limits['duplicates']:g}"
            ),
            Evidence(
                "distance to the data over its floor", float(np.nanmedian(distance(chart)[-chart.window :])), "about 1"
            ),
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
