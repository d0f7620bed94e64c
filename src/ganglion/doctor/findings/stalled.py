"""stalled: nothing comes nearer any more"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import STOP
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import at_full_rate, distance
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    far = distance(chart)
    half = len(far) // 2
    if half < limits["records"] or np.isnan(far[half:]).all() or np.isnan(far[:half]).all() or not at_full_rate(chart):
        return None
    third = len(far) // 3
    won = 1 - float(np.nanmedian(far[-third:])) / float(np.nanmedian(far[third : 2 * third]))
    now = float(np.nanmedian(far[-third:]))
    if now < limits["poor"] or won > limits["gain"]:
        return None
    return Suspicion(
        "watch",
        len(far) - 2 * third,
        [
            Evidence("distance to the data over its floor", now, f"below {limits['poor']:g}"),
            Evidence("share by which it fell in the last third of the run", won, f"above {limits['gain']:g}"),
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
