"""loss-clamped: a loss is frozen at the constant of a clamp"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import R1, SLOWER_D
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


CLAMPS = {
    100.0: "where BCELoss clamps its logarithm",
    16.118: "-ln 1e-7, Keras's epsilon",
    13.816: "-ln 1e-6, a common epsilon",
    18.421: "-ln 1e-8, a common epsilon",
    23.026: "-ln 1e-10, a common epsilon",
    27.631: "-ln 1e-12, a common epsilon",
}


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    for who in "gd":
        for constant, source in CLAMPS.items():
            away = np.abs(chart[f"loss_{who}"] - constant) / constant
            since = chart.lasts(away < limits["tolerance"])
            if since is not None and float(np.nanstd(away[since:])) < limits["tolerance"]:
                name = f"share by which it is away from {constant:g}, {source}"
                seen = [
                    Evidence.context(f"loss of {who.upper()}", chart.recent(f"loss_{who}")),
                    Evidence.at_least(name, chart.recent_of(away), limits["tolerance"]),
                ]
                return Suspicion("failing", since, seen)
    return None


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
