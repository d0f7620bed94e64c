"""learning-rate-too-low: weights hardly move"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import at_full_rate, evidence_of_far, still_far
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    moved = np.fmax(chart["update_g"], chart["update_d"])
    since = chart.lasts(moved < limits["update"])
    if since is None or not at_full_rate(chart) or not still_far(chart, limits["poor"], limits["windows"]):
        return None
    return Suspicion(
        "watch",
        since,
        [
            *(
                Evidence.at_least(
                    f"change of {who.upper()}'s weights in a step, over their size",
                    chart.recent(f"update_{who}"),
                    limits["update"],
                )
                for who in "gd"
            ),
            *evidence_of_far(chart, limits["poor"], limits["windows"]),
        ],
    )


RULE = Rule(
    "learning-rate-too-low",
    look,
    "An update changes so little of the weights that they stay where they began, and samples are where "
    "they were. At this pace the budget ends before anything is learnt.",
    (
        Remedy(
            "Raise both learning rates tenfold",
            "--fresh --set optimizer.generator.lr=0.0002 --set optimizer.discriminator.lr=0.0002",
            "2e-4 is the usual rate for Adam on DCGAN",
        ),
    ),
    explains=(
        "stalled",
        "discriminator-wins",
        "blank-collapse",
        "mode-collapse",
    ),
)
