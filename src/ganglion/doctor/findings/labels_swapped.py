"""labels-swapped: G is pulled the way D wants"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    agree = chart["pull_g_fake"] * chart["pull_d_fake"]  # +1 where both push D's opinion of fakes the same way
    since = chart.lasts(np.nan_to_num(agree, nan=-1.0) > limits["agreement"])
    if since is None:
        return None
    return Suspicion(
        "failing",
        since,
        [
            Evidence("pull of G's loss on D's opinion of fakes", chart.recent("pull_g_fake"), "the opposite of D's"),
            Evidence("pull of D's loss on it", chart.recent("pull_d_fake"), "the opposite of G's"),
        ],
    )


RULE = Rule(
    "labels-swapped",
    look,
    "G's loss pushes D's opinion of fakes in the very direction in which D's own loss pushes it: G is "
    "trained to be recognised. The labels of G's loss are probably those of D's.",
    (
        Remedy(
            "In G's step, use the label that D's step uses for real images",
            "",
            "loss_G = criterion(D(G(z)), real_label)",
        ),
    ),
    explains=(
        "discriminator-wins",
        "vanishing-generator-gradient",
        "blank-collapse",
        "mode-collapse",
        "stalled",
    ),
)
