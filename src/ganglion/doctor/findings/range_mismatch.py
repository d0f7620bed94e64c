"""range-mismatch: reals and fakes lie in different ranges"""

from __future__ import annotations

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    low, high = chart.part("range_real", 0), chart.part("range_real", 1)
    fake_low, fake_high = chart.part("range_fake", 0), chart.part("range_fake", 1)
    if np.isnan(low).all() or np.isnan(fake_low).all():
        return None
    real = float(np.nanmin(low)), float(np.nanmax(high))
    fake = float(np.nanmin(fake_low)), float(np.nanmax(fake_high))
    slip = slip_of(real, fake, limits)
    if slip is None:
        return None
    return Suspicion(
        "failing",
        int(np.flatnonzero(~np.isnan(low))[0]),
        [
            Evidence("smallest value of reals at D's input", real[0], f"about that of fakes, {fake[0]:.3g}"),
            Evidence("largest value of reals at D's input", real[1], f"about that of fakes, {fake[1]:.3g}"),
        ],
        f"{slip} {RULE.why}",
    )


def slip_of(real: tuple[float, float], fake: tuple[float, float], limits: Limits) -> str | None:
    """The likely mistake in a sentence; None where the ranges fit."""
    if real[1] > limits["raw"]:
        return f"Real images reach D with values up to {real[1]:.0f}: they were not scaled from [0, 255]."
    if real[1] < limits["squeezed"] and real[0] > -2 - limits["squeezed"]:
        return f"Real images reach D squeezed to [{real[0]:.3f}, {real[1]:.3f}]: they were scaled to [-1, 1] twice."
    if real[0] > limits["unsigned"] and real[1] > limits["bright"] and fake[0] < -limits["bright"] / 10:
        return "Real images reach D in [0, 1], and G draws below 0: its tanh spans [-1, 1]."
    beyond = max(real[1] - max(fake[1], 1.0), min(fake[0], -1.0) - real[0])
    if beyond > limits["beyond"]:
        return f"Real images reach D in [{real[0]:.2f}, {real[1]:.2f}], beyond what G has drawn by {beyond:.2f}."
    return None


RULE = Rule(
    "range-mismatch",
    look,
    "D tells real from fake by their range alone, and G's tanh cannot reach it: G gets no gradient that "
    "is about pictures.",
    (
        Remedy(
            "Scale real images to [-1, 1], once",
            "",
            "images / 127.5 - 1 for uint8; (images - 0.5) / 0.5 after ToTensor()",
        ),
        Remedy(
            "Or let G end in the range that the data have",
            "",
            "a sigmoid for [0, 1]",
        ),
    ),
    explains=(
        "discriminator-wins",
        "blank-collapse",
        "mode-collapse",
        "vanishing-generator-gradient",
        "stalled",
        "bad-initialization",
        "partial-collapse",
        "batchnorm-mismatch",
    ),
)
