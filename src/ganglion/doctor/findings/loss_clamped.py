"""loss-clamped: a loss is frozen at the constant of a clamp"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import R1, SLOWER_D
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    for key in ("loss_g", "loss_d"):
        values = chart[key]
        for constant, source in CLAMPS.items():
            near = np.abs(values - constant) < limits["tolerance"] * constant
            since = chart.lasts(near)
            if since is not None and float(np.nanstd(values[since:])) < limits["tolerance"] * constant:
                who = "G" if key == "loss_g" else "D"
                return Suspicion(
                    "failing", since, [Evidence(f"loss of {who}", chart.recent(key), f"not {constant:g}, {source}")]
                )
    return None


CLAMPS = {
    100.0: "where BCELoss clamps its logarithm",
    16.118: "-ln 1e-7, Keras's epsilon",
    13.816: "-ln 1e-6, a common epsilon",
    18.421: "-ln 1e-8, a common epsilon",
    23.026: "-ln 1e-10, a common epsilon",
    27.631: "-ln 1e-12, a common epsilon",
}


RULE = Rule(
    "loss-clamped",
    look,
    "The loss stands at the constant at which a logarithm is clamped: D's probability has rounded to 0 or "
    "1, and behind the clamp the gradient is exactly 0. G cannot learn any more.",
    (
        Remedy(
            "Leave out the sigmoid and use a loss on logits, which cannot round",
            "--set objective.adversarial=non-saturating",
            "BCEWithLogitsLoss() instead of Sigmoid() and BCELoss()",
        ),
        SLOWER_D,
        R1,
    ),
    explains=(
        "discriminator-wins",
        "vanishing-generator-gradient",
        "blank-collapse",
        "mode-collapse",
        "stalled",
        "generator-wins",
        "learning-rate-too-low",
    ),
)
