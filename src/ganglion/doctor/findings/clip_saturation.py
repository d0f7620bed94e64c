"""clip-saturation: weights are pinned to the clip bound"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    since = chart.lasts(chart["clip_share"] > limits["share"])
    if since is None:
        return None
    share = chart.recent("clip_share")
    return Suspicion(
        "watch", since, [Evidence.at_most("share of D's weights at the clip bound", share, limits["share"])]
    )


RULE = Rule(
    "clip-saturation",
    look,
    "Most of the critic's weights stand at the bound to which they are clipped, so all it can still "
    "choose is their signs. Such a critic is a coarse function, and G's gradient through it is either "
    "tiny or huge.",
    (
        Remedy(
            "Use a gradient penalty instead of clipping",
            "--recipe wgan-gp",
            "Gulrajani et al. 2017",
        ),
        Remedy(
            "Lower the critic's learning rate, or widen the bound",
            "--set optimizer.discriminator.lr=0.00005 --set objective.clip=0.02",
            "RMSprop at 5e-5, clip 0.01",
        ),
    ),
)
