"""late-collapse: was good, is much worse"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart, smoothed
from ganglion.doctor.remedies import COSINE, R1
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import distance
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    values, name, good = (distance(chart), "distance to the data over its floor", limits["good"])
    if np.isnan(values).all():
        values, name, good = chart["fid"], "FID", np.inf
    if np.isnan(values).all():
        return None
    best = smoothed(values, 3)
    place = int(np.nanargmin(best))
    lowest = float(best[place])
    since = chart.lasts(values > limits["worse"] * lowest)
    if since is None or since <= place or lowest > good:
        return None
    step = int(chart.steps[place])
    why = f"Samples were best near step {step:,}: use the checkpoint nearest to it, and do not train on from here. {RULE.why}"
    return Suspicion(
        "failing",
        since,
        [
            Evidence.at_most(name, chart.recent_of(values), limits["worse"] * lowest),
            Evidence.context(f"the same near step {step:,}", lowest),
        ],
        why,
    )


RULE = Rule(
    "late-collapse",
    look,
    "The run was good and has fallen apart: the balance of the two players was lost in one jump or by "
    "slow drift. It seldom comes back by itself.",
    (
        Remedy(
            "Go on from the best checkpoint with lower learning rates",
            "ganglion sample RUN --checkpoint best",
            "load the best weights and halve both rates",
        ),
        COSINE,
        R1,
    ),
    explains=(
        "oscillation",
        "noise-collapse",
        "generator-wins",
        "discriminator-wins",
        "mode-collapse",
        "partial-collapse",
        "blank-collapse",
        "stalled",
        "exploding-gradient",
        "learning-rate-too-high",
        "learning-rate-too-low",
        "vanishing-generator-gradient",
        "growing-oscillation",
    ),
)
