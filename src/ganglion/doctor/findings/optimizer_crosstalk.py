"""optimizer-crosstalk: one optimiser moves both networks"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    shares = {
        "share of D's weights that G's optimiser moves": chart.last("moves_d_with_g"),
        "share of G's weights that D's optimiser moves": chart.last("moves_g_with_d"),
    }
    shared = [
        Evidence.at_most(name, share, limits["share"]) for name, share in shares.items() if share > limits["share"]
    ]
    return Suspicion("failing", 0, shared) if shared else None


RULE = Rule(
    "optimizer-crosstalk",
    look,
    "Each update that is meant for one player also moves the other, towards what the first one wants. "
    "Then D is trained to be fooled, its loss or G's goes to 0, and nobody learns anything.",
    (
        Remedy(
            "Give each optimiser the weights of its own network",
            "",
            "torch.optim.Adam(G.parameters()), torch.optim.Adam(D.parameters())",
        ),
    ),
    explains=(
        "generator-wins",
        "discriminator-wins",
        "mode-collapse",
        "partial-collapse",
        "stalled",
        "blank-collapse",
        "oscillation",
        "noise-collapse",
        "learning-rate-too-high",
    ),
)
