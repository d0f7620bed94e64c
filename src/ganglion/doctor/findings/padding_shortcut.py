"""padding-shortcut: D lives on the border"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import AUGMENT
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    seen, framed = chart["separation_eval"], chart["separation_framed"]
    varied = chart["diversity"] > limits["diversity"]
    since = chart.lasts((seen > limits["sure"]) & (framed < limits["framed"]) & varied)
    if since is None:
        return None
    return Suspicion(
        "failing",
        since,
        [
            Evidence.at_least(
                "separation when fakes are given the border of reals", chart.recent_of(framed), limits["framed"]
            ),
            Evidence.context("separation", chart.recent_of(seen)),
        ],
    )


RULE = Rule(
    "padding-shortcut",
    look,
    "D tells real from fake by the outermost pixels: give fakes the border of reals, and it is lost. Real "
    "and generated images are not prepared in the same way, and G learns nothing about what lies inside.",
    (
        Remedy(
            "Prepare real and generated images by one and the same code: the same padding, resizing, compression",
            "--set data.fit=crop",
            "pad and resize before the images are scaled, and nothing after G",
        ),
        Remedy(
            "Crop the borders of real images away",
            "--set data.fit=crop",
            "CenterCrop instead of Pad",
        ),
        AUGMENT,
    ),
    explains=(
        "discriminator-wins",
        "vanishing-generator-gradient",
        "noise-collapse",
        "stalled",
        "partial-collapse",
    ),
)
