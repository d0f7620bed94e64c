"""vanishing-generator-gradient: G gets no gradient any more"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import R1
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import distance
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    grad = chart["grad_g_first"] if chart.has("grad_g_first") else chart["grad_g"]
    there = grad[~np.isnan(grad)]
    if len(there) < 2 * chart.window:
        return None
    peak = float(np.max(there))
    since = chart.lasts(np.nan_to_num(grad, nan=np.inf) < limits["share"] * peak)
    far = distance(chart)[-chart.window :]
    near = not np.isnan(far).all() and bool(np.nanmin(far) < limits["poor"])
    moving = chart.recent("update_g") > limits["update"]
    if since is None or near or moving:
        return None
    return Suspicion(
        "failing",
        since,
        [
            Evidence(
                "gradient at G's first layer over its largest",
                chart.recent("grad_g_first" if chart.has("grad_g_first") else "grad_g") / peak,
                f"above {limits['share']:g}",
            ),
            Evidence("separation", chart.recent("separation"), "0.55 to 0.99"),
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
