"""Mistakes in the images that D is given: value ranges, and borders that only real images have."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ganglion.doctor.evidence import Evidence
from ganglion.doctor.history import History
from ganglion.doctor.progress import harm
from ganglion.doctor.remedies.by_hand import OUTPUT_RANGE, SAME_PREPARATION, SCALE_ONCE
from ganglion.doctor.remedies.training import AUGMENT, CROP
from ganglion.doctor.rule import Limits, Rule, RuleHit

__all__ = ["PADDING_SHORTCUT", "RANGE_MISMATCH"]


class RangeMistake(NamedTuple):
    """A likely mistake in scaling."""

    text: str
    """One sentence."""
    evidence: Evidence


def range_mismatch(history: History, limits: Limits) -> RuleHit | None:
    ends = {
        f"{which} value of {whose} at D's input": history.part(f"range_{whose[:-1]}", index)
        for whose in ("reals", "fakes")
        for index, which in enumerate(("smallest", "largest"))
    }
    if any(np.isnan(values).all() for values in ends.values()):
        return None
    extremes = {
        name: float(np.nanmin(values) if name.startswith("smallest") else np.nanmax(values))
        for name, values in ends.items()
    }
    low, high, fake_low, fake_high = extremes.values()
    mistake = range_mistake((low, high), (fake_low, fake_high), limits)
    if mistake is None:
        return None
    others = [Evidence.context(name, value) for name, value in extremes.items() if name != mistake.evidence.name]
    since = int(np.flatnonzero(~np.isnan(history.part("range_real", 0)))[0])
    return RuleHit(harm(history), since, [mistake.evidence, *others], f"{mistake.text} {RANGE_MISMATCH.why}")


def range_mistake(real: tuple[float, float], fake: tuple[float, float], limits: Limits) -> RangeMistake | None:
    """The likely mistake; None where the ranges match."""
    smallest, largest = "smallest value of reals at D's input", "largest value of reals at D's input"
    if real[1] > limits["raw"]:
        text = f"Real images reach D with values up to {real[1]:.0f}: they were not scaled from [0, 255]."
        return RangeMistake(text, Evidence.at_most(largest, real[1], limits["raw"]))
    if real[1] < limits["squeezed"] and real[0] > -2 - limits["squeezed"]:
        text = f"Real images reach D in [{real[0]:.3f}, {real[1]:.3f}]: they were scaled to [-1, 1] twice."
        return RangeMistake(text, Evidence.at_least(largest, real[1], limits["squeezed"]))
    if real[0] > limits["unsigned"] and real[1] > limits["bright"] and fake[0] < -limits["bright"] / 10:
        text = "Real images reach D in [0, 1], and G's output is below 0: its tanh spans [-1, 1]."
        return RangeMistake(text, Evidence.at_most(smallest, real[0], limits["unsigned"]))
    beyond = max(real[1] - max(fake[1], 1.0), min(fake[0], -1.0) - real[0])
    if beyond > limits["beyond"]:
        text = f"Real images reach D in [{real[0]:.2f}, {real[1]:.2f}], beyond the range of fakes by {beyond:.2f}."
        return RangeMistake(
            text, Evidence.at_most("how far reals exceed [-1, 1] and the range of fakes", beyond, limits["beyond"])
        )
    return None


RANGE_MISMATCH = Rule(
    "range-mismatch",
    range_mismatch,
    "D separates reals from fakes by their value range alone, which G's tanh cannot match: G's gradient says nothing about "
    "image content.",
    (SCALE_ONCE, OUTPUT_RANGE),
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


def padding_shortcut(history: History, limits: Limits) -> RuleHit | None:
    auc, framed = history["separation_eval"], history["separation_framed"]
    varied = history["diversity"] > limits["diversity"]
    since = history.lasting_since((auc > limits["sure"]) & (framed < limits["framed"]) & varied)
    if since is None:
        return None
    return RuleHit(
        harm(history),
        since,
        [
            Evidence.at_least(
                "AUC of D's logits with fakes given the border of reals", history.recent_of(framed), limits["framed"]
            ),
            Evidence.context("AUC of D's logits", history.recent_of(auc)),
        ],
    )


PADDING_SHORTCUT = Rule(
    "padding-shortcut",
    padding_shortcut,
    "D separates reals from fakes by the outermost pixels: with the border of reals on fakes, it no longer does. Real and "
    "generated images are not preprocessed in the same way, and G learns nothing about the interior.",
    (SAME_PREPARATION, CROP, AUGMENT),
    explains=(
        "discriminator-wins",
        "vanishing-generator-gradient",
        "noise-collapse",
        "stalled",
        "partial-collapse",
    ),
)
