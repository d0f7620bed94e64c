"""exploding-gradient: gradients grow without end"""

from __future__ import annotations

import math

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import SLOWER_D
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import growth, scale_of_logits
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["PENALTIES", "RULE"]


PENALTIES = {"loss_d_gradient", "loss_d_gradient_one_sided", "loss_d_r1", "loss_d_r2", "loss_d_dragan"}
"""Where a record holds the penalties on D's gradient."""


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    said = scale_of_logits(chart)
    size, times = chart.recent_of(said), growth(said)
    grown = {who: growth_since_early(chart, f"grad_{who}") for who in "gd"}
    wild = [who for who in "gd" if grown[who] > limits["growth"]]
    since = chart.lasts(said > limits["logit"])
    if len(chart) < 2 * chart.window or since is None or not (wild or times > limits["growth"]):
        return None
    seen = [Evidence.at_most("size of D's logits", size, limits["logit"])]
    seen += [
        Evidence.at_most(f"gradient of {who.upper()} over what it was", grown[who], limits["growth"]) for who in wild
    ]
    if times > limits["growth"]:
        seen.append(Evidence.at_most("size of D's logits over what it was", times, limits["growth"]))
    penalties = [size for key in PENALTIES if (size := chart.recent(key)) > 0]
    if penalties:
        seen.append(Evidence.context("penalty on D's gradient", max(penalties)))
    return Suspicion("failing", since, seen)


def growth_since_early(chart: Chart, key: str) -> float:
    """The median over the window over that of the first records; NaN where one of them was not measured or is 0."""
    early = chart.early(key)
    return chart.recent(key) / early if early > 0 else math.nan


RULE = Rule(
    "exploding-gradient",
    look,
    "D's opinions, and with them all gradients, grow from record to record: nothing keeps D from becoming "
    "ever steeper. It ends in numbers that are not finite.",
    (
        Remedy(
            "Bound D's steepness: a gradient penalty, spectral norm, or clipping",
            "--set 'objective.penalties=[{kind: gradient, weight: 10}]' --set discriminator.norm=none",
            "WGAN-GP's penalty, or torch.nn.utils.parametrizations.spectral_norm",
        ),
        SLOWER_D,
    ),
    explains=(
        "learning-rate-too-high",
        "discriminator-wins",
        "mode-collapse",
        "blank-collapse",
        "stalled",
        "oscillation",
        "vanishing-generator-gradient",
        "partial-collapse",
    ),
)
