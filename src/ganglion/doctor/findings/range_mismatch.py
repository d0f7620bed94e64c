"""range-mismatch: reals and fakes lie in different ranges"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ganglion.doctor.chart import Chart
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


class Slip(NamedTuple):
    """A likely mistake."""

    what: str
    """In a sentence."""
    decided: Evidence


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    ends = {
        f"{which} value of {whose} at D's input": chart.part(f"range_{whose[:-1]}", place)
        for whose in ("reals", "fakes")
        for place, which in enumerate(("smallest", "largest"))
    }
    if any(np.isnan(values).all() for values in ends.values()):
        return None
    extremes = {
        name: float(np.nanmin(values) if name.startswith("smallest") else np.nanmax(values))
        for name, values in ends.items()
    }
    low, high, fake_low, fake_high = extremes.values()
    slip = slip_of((low, high), (fake_low, fake_high), limits)
    if slip is None:
        return None
    others = [Evidence.context(name, value) for name, value in extremes.items() if name != slip.decided.name]
    since = int(np.flatnonzero(~np.isnan(chart.part("range_real", 0)))[0])
    return Suspicion("failing", since, [slip.decided, *others], f"{slip.what} {RULE.why}")


def slip_of(real: tuple[float, float], fake: tuple[float, float], limits: Limits) -> Slip | None:
    """The likely mistake; None where the ranges fit."""
    smallest, largest = "smallest value of reals at D's input", "largest value of reals at D's input"
    if real[1] > limits["raw"]:
        what = f"Real images reach D with values up to {real[1]:.0f}: they were not scaled from [0, 255]."
        return Slip(what, Evidence.at_most(largest, real[1], limits["raw"]))
    if real[1] < limits["squeezed"] and real[0] > -2 - limits["squeezed"]:
        what = f"Real images reach D squeezed to [{real[0]:.3f}, {real[1]:.3f}]: they were scaled to [-1, 1] twice."
        return Slip(what, Evidence.at_least(largest, real[1], limits["squeezed"]))
    if real[0] > limits["unsigned"] and real[1] > limits["bright"] and fake[0] < -limits["bright"] / 10:
        what = "Real images reach D in [0, 1], and G draws below 0: its tanh spans [-1, 1]."
        return Slip(what, Evidence.at_most(smallest, real[0], limits["unsigned"]))
    beyond = max(real[1] - max(fake[1], 1.0), min(fake[0], -1.0) - real[0])
    if beyond > limits["beyond"]:
        what = f"Real images reach D in [{real[0]:.2f}, {real[1]:.2f}], beyond what G has drawn by {beyond:.2f}."
        return Slip(
            what, Evidence.at_most("how far reals reach beyond [-1, 1] and the fakes", beyond, limits["beyond"])
        )
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
