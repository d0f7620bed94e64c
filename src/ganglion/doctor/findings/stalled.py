"""stalled: nothing comes nearer any more"""

from __future__ import annotations

import math

from ganglion.doctor.chart import Chart, median
from ganglion.doctor.remedies import STOP
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import at_full_rate, distance
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    far = distance(chart)
    third = len(far) // 3
    if len(far) // 2 < limits["records"] or not at_full_rate(chart):
        return None
    before, now = median(far[third : 2 * third]), median(far[-third:])
    won = 1 - now / before if before > 0 else math.nan
    if not (now > limits["poor"] and won < limits["gain"]):
        return None
    return Suspicion(
        "watch",
        len(far) - 2 * third,
        [
            Evidence.at_most("distance to the data over its floor", now, limits["poor"]),
            Evidence.at_least("share by which it fell in the last third of the run", won, limits["gain"]),
        ],
    )


RULE = Rule(
    "stalled",
    look,
    "Samples are still far from the data, and for two thirds of the run they have come no nearer, "
    "although both players move. G may be too small for these images, or the balance is stuck.",
    (
        Remedy(
            "Give G more width, or the latent more dimensions",
            "--set generator.width=64 --set latent.dim=64",
            "twice the feature maps",
        ),
        Remedy(
            "Change the balance: a penalty on D, or other rates",
            "--recipe fast",
            "R1; the rates of the recipe fast",
        ),
        STOP,
    ),
)
