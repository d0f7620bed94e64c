"""discriminator-overfitting: D knows the training images by heart"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import AUGMENT, STOP
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    since = chart.lasts(chart["held_out"] > limits["watch"])
    if since is None:
        return None
    gap = chart.recent("held_out")
    return Suspicion(
        "failing" if gap > limits["failing"] else "watch",
        since,
        [Evidence.at_most("chance that D prefers a training image to one it never saw", gap, limits["watch"])],
    )


RULE = Rule(
    "discriminator-overfitting",
    look,
    "D tells training images from other real ones, so it has learnt them by heart. What it teaches G is "
    "then no longer what real images look like, and samples get worse or turn into copies.",
    (
        AUGMENT,
        Remedy(
            "Take the recipe for few images",
            "--recipe small-data",
            "a narrower D, R1, augmentation",
        ),
        STOP,
    ),
    explains=("memorization",),
)
