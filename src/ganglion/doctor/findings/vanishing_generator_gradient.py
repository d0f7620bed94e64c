"""vanishing-generator-gradient: G gets no gradient any more"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import R1
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import evidence_of_nearest, nearest
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    grad = chart["grad_g_first"] if chart.has("grad_g_first") else chart["grad_g"]
    if (~np.isnan(grad)).sum() < 2 * chart.window:
        return None
    peak = float(np.nanmax(grad))
    since = chart.lasts(grad < limits["share"] * peak)
    moved = chart.recent("update_g")
    if since is None or nearest(chart) <= limits["poor"] or moved >= limits["update"]:
        return None
    return Suspicion(
        "failing",
        since,
        [
            Evidence.at_least(
                "gradient at G's first layer over its largest", chart.recent_of(grad) / peak, limits["share"]
            ),
            Evidence.at_least("change of G's weights in a step, over their size", moved, limits["update"]),
            evidence_of_nearest(chart, limits["poor"]),
            Evidence.context("separation", chart.recent("separation")),
        ],
    )


RULE = Rule(
    "vanishing-generator-gradient",
    look,
    "Hardly any gradient reaches G's first layers: D is so sure that its opinion no longer changes with "
    "the image. G stands still while D grows surer.",
    (
        Remedy(
            "Use a loss whose gradient does not vanish where D is sure",
            "--set objective.adversarial=non-saturating",
            "-log D(G(z)) instead of log(1 - D(G(z)))",
        ),
        R1,
        Remedy(
            "Lower D's learning rate, or add noise to what it sees",
            "--set optimizer.discriminator.lr=0.0001 --set objective.instance_noise.std=0.1",
            "instance noise, Sønderby et al. 2017",
        ),
    ),
    explains=(
        "discriminator-wins",
        "stalled",
        "mode-collapse",
    ),
)
