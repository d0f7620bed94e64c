"""latent-ignored: the latent changes nothing"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import STDDEV
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    state = (chart["z_response"] < limits["response"]) & (chart["diversity"] > limits["diversity"])
    since = chart.lasts(state)
    if since is None:
        return None
    return Suspicion(
        "failing",
        since,
        [
            Evidence.at_least("response of samples to another latent", chart.recent("z_response"), limits["response"]),
            Evidence.context("diversity of samples over that of reals", chart.recent("diversity")),
        ],
    )


RULE = Rule(
    "latent-ignored",
    look,
    "Samples differ, but not by their latent: another z with the same label gives the same picture. G "
    "takes its variety from the label or from noise, and the latent is not wired to anything.",
    (
        Remedy(
            "Look at how z enters G: is it multiplied by 0, overwritten, or the same in every batch?",
            "--set generator.conditioning=norm",
            "print(G(z1, y) - G(z2, y))",
        ),
        STDDEV,
    ),
    explains=(
        "partial-collapse",
        "mode-collapse",
    ),
)
