"""bad-initialization: first weights that no training gets out of"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import evidence_of_far, still_far
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    if chart.steps[0] > 0 or len(chart) < 2 * chart.window or not still_far(chart, limits["poor"], limits["windows"]):
        return None
    full, wild, faint = (float(chart[key][0]) for key in ("saturation", "fine", "contrast"))
    since_then = evidence_of_far(chart, limits["poor"], limits["windows"])
    if full > limits["saturated"] and wild > limits["noise"]:
        return Suspicion(
            "failing",
            0,
            [
                Evidence.at_most("saturated pixels in the first samples", full, limits["saturated"]),
                Evidence.at_most("fine detail in the first samples over that of reals", wild, limits["noise"]),
                *since_then,
            ],
            f"First weights are too large: G's tanh begins at its ends. {RULE.why}",
        )
    if faint < limits["faint"]:
        return Suspicion(
            "failing",
            0,
            [
                Evidence.at_least("contrast of the first samples over that of reals", faint, limits["faint"]),
                *since_then,
            ],
            f"First weights are too small: signals fade from layer to layer. {RULE.why}",
        )
    return None


RULE = Rule(
    "bad-initialization",
    look,
    "Before it has learnt anything, G draws what no gradient can carry away from: saturated noise or one "
    "gray, and samples have hardly come nearer to the data since.",
    (
        Remedy(
            "Draw first weights by He's scheme, which keeps signals their size",
            "--fresh --set init.scheme=kaiming",
            "nn.init.kaiming_normal_(weight)",
        ),
        Remedy(
            "Or from N(0, 0.02) with batch norm in both networks",
            "--fresh --set init.scheme=normal --set init.std=0.02 --set generator.norm=batch",
            "nn.init.normal_(weight, 0, 0.02)",
        ),
        Remedy(
            "Look at the size of signals before training",
            "ganglion check SOURCE",
            "ganglion.watch writes a record of the first weights",
        ),
    ),
    explains=(
        "noise-collapse",
        "discriminator-wins",
        "blank-collapse",
        "mode-collapse",
        "stalled",
        "partial-collapse",
        "vanishing-generator-gradient",
    ),
)
