"""exploding-gradient: gradients grow without end"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import SLOWER_D
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.signs import growth, scale_of_logits
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    grown = {who: chart.recent(f"grad_{who}") / max(chart.early(f"grad_{who}"), 1e-30) for who in "gd"}
    said = scale_of_logits(chart)
    loud = (
        bool(np.nanmedian(said[-chart.window :]) > limits["logit"])
        if not np.isnan(said[-chart.window :]).all()
        else False
    )
    penalty = (
        max(chart.recent(key) for key in ("loss_d_gradient", "loss_d_r1"))
        if chart.has("loss_d_gradient") or chart.has("loss_d_r1")
        else 0.0
    )
    wild = [who for who in "gd" if grown[who] > limits["growth"]]
    since = chart.lasts(said > limits["logit"])
    if len(chart) < 2 * chart.window or since is None or not loud or not (wild or growth(said) > limits["growth"]):
        return None
    seen = [Evidence("size of D's logits", chart.recent("logit_real"), f"below {limits['logit']:g}")]
    seen += [
        Evidence(f"gradient of {who.upper()} over what it was", grown[who], f"below {limits['growth']:g}")
        for who in wild
    ]
    if penalty > 0:
        seen.append(Evidence("penalty on D's gradient", penalty, "a few at most"))
    return Suspicion("failing", since, seen)


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
