"""What a finding is made of: a rule over the history, its thresholds, its messages, and remedies that several share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from ganglion.doctor.history import History
from ganglion.doctor.verdict import Evidence, Remedy, Severity

__all__ = [
    "AUGMENT",
    "AVERAGE",
    "COSINE",
    "NO_MOMENTUM",
    "PAIRS",
    "R1",
    "SLOWER",
    "SLOWER_D",
    "SLOWER_G",
    "STDDEV",
    "STOP",
    "Limits",
    "Rule",
    "RuleHit",
    "thresholds",
    "thresholds_of",
]


Limits = Mapping[str, float]
"""A finding's thresholds by name."""


class RuleHit(NamedTuple):
    """Result of a rule that applies."""

    severity: Severity
    since: int
    """Index of the record in the history."""
    evidence: list[Evidence]
    why: str = ""
    """Replaces the rule's own text where the evidence allows a more exact cause."""
    inferred: bool = False


class Rule(NamedTuple):
    code: str
    check: Callable[[History, Limits], RuleHit | None]
    why: str
    remedies: tuple[Remedy, ...]
    explains: tuple[str, ...] = ()
    """Codes of findings that this one causes: they are listed after it."""


@cache
def thresholds() -> dict[str, dict[str, dict[str, object]]]:
    """The table: by code and name {value, unit, meaning}. One file, so that calibration can rewrite it."""
    text = files("ganglion.doctor").joinpath("thresholds.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, dict[str, object]]] = json.loads(text)
    return table


def thresholds_of(code: str, table: Mapping[str, Mapping[str, Mapping[str, object]]] | None = None) -> dict[str, float]:
    """The thresholds of one finding."""
    rows = (thresholds() if table is None else table).get(code, {})
    return {name: float(str(row["value"])) for name, row in rows.items()}


AUGMENT = Remedy(
    "Show D augmented images, real and fake alike",
    "--set augment.kind=diffaugment",
    "DiffAugment (Zhao et al. 2020) or ADA (Karras et al. 2020)",
)
AVERAGE = Remedy(
    "Average G's weights and sample from the average",
    "--set ema.halflife_kimg=20",
    "an exponential moving average of G",
)
COSINE = Remedy(
    "Decay the learning rates towards the end of the budget",
    "--set optimizer.schedule=cosine",
    "a cosine or linear schedule to 0",
)
NO_MOMENTUM = Remedy(
    "Set the optimisers' beta1 to 0 (no momentum)",
    "--set optimizer.generator.beta1=0 --set optimizer.discriminator.beta1=0",
    "betas=(0.0, 0.99)",
)
PAIRS = Remedy(
    "Use the relativistic pairing loss with R1 and R2",
    "--recipe r3gan",
    "R3GAN, Huang et al. 2025",
)
R1 = Remedy(
    "Penalise D's gradient at real images (R1), without batch norm in D",
    "--set 'objective.penalties=[{kind: r1, weight: 1.0, interval_updates: 4}]' --set discriminator.norm=none",
    "R1, Mescheder et al. 2018; every fourth update is enough",
)
SLOWER = Remedy(
    "Lower both learning rates, by half at first",
    "--fresh --set optimizer.generator.lr=0.0001 --set optimizer.discriminator.lr=0.0001",
    "2e-4 is the usual rate for Adam on DCGAN; load the last good weights",
)
SLOWER_D = Remedy(
    "Lower D's learning rate",
    "--fresh --set optimizer.discriminator.lr=0.00005",
    "a quarter of D's learning rate",
)
SLOWER_G = Remedy(
    "Lower G's learning rate, and continue from the best checkpoint",
    "--fresh --set optimizer.generator.lr=0.0001",
    "a tenth of G's learning rate; load the last good weights",
)
STDDEV = Remedy(
    "Let D compare the images of a batch",
    "--set discriminator.minibatch=stddev",
    "minibatch standard deviation (Karras et al. 2018) before D's last layer",
)
STOP = Remedy(
    "Stop when the distance to the data no longer falls",
    "--set training.stop_when_done=true",
    "early stopping by a distance to the data, not by a loss",
)
