"""Mistakes of numbers and layers: values that are not finite, normalisation, clamped losses, clipped weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ganglion.doctor.evidence import Evidence
from ganglion.doctor.history import History
from ganglion.doctor.progress import harm
from ganglion.doctor.remedies.by_hand import MOMENTUM_OF_NORMS, NEW_STATISTICS
from ganglion.doctor.remedies.losses import BOUND_SLOPE, LOGITS_LOSS, PENALTY_FOR_CLIP, WIDER_CLIP
from ganglion.doctor.remedies.networks import NORM_WITHOUT_STATISTICS
from ganglion.doctor.remedies.rates import LOWER_BOTH, LOWER_D
from ganglion.doctor.remedies.training import FLOAT32, LARGER_BATCH
from ganglion.doctor.rule import Limits, Rule, RuleHit
from ganglion.vitals.records import is_step

__all__ = [
    "BATCHNORM_MISMATCH",
    "CLIP_SATURATION",
    "LOSS_CLAMPED",
    "NON_FINITE",
]


def non_finite(history: History, limits: Limits) -> RuleHit | None:
    bad = [index for index, record in enumerate(history.records) if record.get("non_finite") is not None]
    if not bad:
        return None
    first = history.records[bad[0]]["non_finite"]
    details = first if isinstance(first, Mapping) else {}
    step = details["step"] if is_step(details.get("step")) else int(history.steps[bad[0]])
    why = f"The first non-finite tensor was the {details.get('tensor', 'loss')}, at {history.unit} {step:,}. {NON_FINITE.why}"
    evidence = [
        Evidence.context(f"first {history.unit} with a NaN or infinity", step),
        Evidence.at_most("records with a NaN or infinity", len(bad), 0),
    ]
    return RuleHit("failing", bad[0], evidence, why)


NON_FINITE = Rule(
    "non-finite",
    non_finite,
    "A NaN or an infinity spreads to every weight within one update and stays there, so all further training is useless.",
    (LOWER_BOTH, FLOAT32, BOUND_SLOPE),
    explains=(
        "exploding-gradient",
        "blank-collapse",
        "noise-collapse",
        "late-collapse",
        "learning-rate-too-high",
    ),
)


def batchnorm_mismatch(history: History, limits: Limits) -> RuleHit | None:
    since = history.lasting_since(history["train_eval"] > limits["apart"])
    if since is None:
        return None
    apart = history.recent("train_eval")
    name = "distance between train-mode and eval-mode samples of one latent, over the reals' mean distance"
    return RuleHit(harm(history), since, [Evidence.at_most(name, apart, limits["apart"])])


BATCHNORM_MISMATCH = Rule(
    "batchnorm-mismatch",
    batchnorm_mismatch,
    "G generates other images in eval mode than in train mode. Its batch norm uses running statistics in eval mode, and "
    "these are not those of the batches that it was trained on: samples from a checkpoint differ from those in training.",
    (LARGER_BATCH, NORM_WITHOUT_STATISTICS, MOMENTUM_OF_NORMS, NEW_STATISTICS),
    explains=(
        "blank-collapse",
        "mode-collapse",
        "stalled",
        "discriminator-wins",
        "partial-collapse",
    ),
)


CLAMPS = {
    100.0: "where BCELoss clamps its logarithm",
    16.118: "-ln 1e-7, Keras's epsilon",
    13.816: "-ln 1e-6, a common epsilon",
    18.421: "-ln 1e-8, a common epsilon",
    23.026: "-ln 1e-10, a common epsilon",
    27.631: "-ln 1e-12, a common epsilon",
}


CLAMPS |= {constant / 2: f"half of {constant:g}, {source}" for constant, source in CLAMPS.items()}
"""A loss of D is often the mean of its two halves, of which one is at the clamp and the other at 0."""
NOT_LOGARITHMS = ("wasserstein", "least-squares")
"""Objectives without a logarithm, as `readers.objective` names them."""


def loss_clamped(history: History, limits: Limits) -> RuleHit | None:
    if history.objective in NOT_LOGARITHMS:
        return None
    for who in "gd":
        for constant, source in CLAMPS.items():
            away = np.abs(history[f"loss_{who}"] - constant) / constant
            since = history.lasting_since(away < limits["tolerance"])
            if since is not None and float(np.nanstd(away[since:])) < limits["tolerance"]:
                name = f"relative deviation from {constant:g}, {source}"
                evidence = [
                    Evidence.context(f"loss of {who.upper()}", history.recent(f"loss_{who}")),
                    Evidence.at_least(name, history.recent_of(away), limits["tolerance"]),
                ]
                return RuleHit("failing", since, evidence)
    return None


LOSS_CLAMPED = Rule(
    "loss-clamped",
    loss_clamped,
    "The loss is constant at the value at which a logarithm is clamped: D's probability has rounded to 0 or 1, and the "
    "gradient behind the clamp is exactly 0. G learns nothing more.",
    (LOGITS_LOSS, LOWER_D, BOUND_SLOPE),
    explains=(
        "discriminator-wins",
        "vanishing-generator-gradient",
        "blank-collapse",
        "mode-collapse",
        "stalled",
        "generator-wins",
        "learning-rate-too-low",
    ),
)


def clip_saturation(history: History, limits: Limits) -> RuleHit | None:
    since = history.lasting_since(history["clip_share"] > limits["share"])
    if since is None:
        return None
    share = history.recent("clip_share")
    return RuleHit("watch", since, [Evidence.at_most("share of D's weights at the clip bound", share, limits["share"])])


CLIP_SATURATION = Rule(
    "clip-saturation",
    clip_saturation,
    "Most of the critic's weights are at the clip bound, so only their signs still differ. Such a critic is too simple a "
    "function, and G's gradient through it vanishes or explodes.",
    (PENALTY_FOR_CLIP, WIDER_CLIP, LOWER_D),
)
