"""labels-swapped: G is pulled the way D wants"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    agree = chart["pull_g_fake"] * chart["pull_d_fake"]  # +1 where both push D's opinion of fakes the same way
    since = chart.lasts(agree > limits["agreement"])
    if since is None:
        return None
    return Suspicion(
        "failing",
        since,
        [
            Evidence.at_most(
                "product of both losses' pulls on D's opinion of fakes", chart.recent_of(agree), limits["agreement"]
            ),
            Evidence.context("pull of G's loss", chart.recent("pull_g_fake")),
            Evidence.context("pull of D's loss", chart.recent("pull_d_fake")),
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
