"""blank-collapse: samples fade to one tone"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import R1, SLOWER_G
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import evidence_of_far, still_far
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    state = (chart["contrast"] < limits["contrast"]) & (chart["diversity"] < limits["diversity"])
    since = chart.lasts(state)
    if since is None or len(chart) < 2 * chart.window:
        return None
    was = float(np.nanmax(chart["contrast"][: since + 1], initial=0.0))
    faded = was > limits["had"]
    if not faded and not still_far(chart, limits["poor"], limits["windows"]):
        return None
    return Suspicion(
        "failing",
        since,
        [
            Evidence.at_least("contrast of samples over that of reals", chart.recent("contrast"), limits["contrast"]),
            Evidence.at_least(
                "diversity of samples over that of reals", chart.recent("diversity"), limits["diversity"]
            ),
            *(
                [Evidence.context("contrast of samples at its largest before", was)]
                if faded
                else evidence_of_far(chart, limits["poor"], limits["windows"])
            ),
        ],
    )


RULE = Rule(
    "blank-collapse",
    look,
    "Samples are of one tone, whatever the latent: black, white or gray. G's output has run into the end "
    "of its tanh or its signals have died, and no gradient comes back through it.",
    (
        SLOWER_G,
        Remedy(
            "Give G batch norm, or leaky instead of plain ReLU",
            "--set generator.norm=batch --set generator.activation=leaky-relu",
            "BatchNorm2d after each layer but the last",
        ),
        R1,
    ),
    explains=(
        "mode-collapse",
        "discriminator-wins",
        "vanishing-generator-gradient",
        "stalled",
        "partial-collapse",
    ),
)
