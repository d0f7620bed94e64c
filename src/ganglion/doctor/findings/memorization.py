"""memorization: samples are copies of training images"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import AUGMENT, STOP
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import distance
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    far = distance(chart) > limits["far"]  # gray and noise lie near to every image, and are copies of none
    since = chart.lasts((chart["nearest"] > limits["watch"]) & ~far)
    if since is None:
        return None
    near = chart.recent("nearest")
    name = "chance that a sample lies nearer to training images than an unseen real one"
    return Suspicion(
        "failing" if near > limits["failing"] else "watch", since, [Evidence.at_most(name, near, limits["watch"])]
    )


RULE = Rule(
    "memorization",
    look,
    "Samples lie nearer to training images than new real images do: G repeats what it was shown. Such a "
    "run looks excellent and has learnt nothing beyond its data.",
    (
        STOP,
        AUGMENT,
        Remedy(
            "See which samples are copies: ganglion evaluate RUN --neighbours sheet.png",
            "",
            "compare samples with their nearest training images",
        ),
    ),
)
