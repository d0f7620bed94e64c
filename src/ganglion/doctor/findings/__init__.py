"""The findings, grouped by subject. Where two apply, the one that RULES lists first is the cause; the last
sums up what all of them and the numbers show."""

from __future__ import annotations

from ganglion.doctor.findings.balance import (
    CAPACITY_IMBALANCE,
    DISCRIMINATOR_WINS,
    GENERATOR_WINS,
    VANISHING_GENERATOR_GRADIENT,
)
from ganglion.doctor.findings.collapse import (
    BLANK_COLLAPSE,
    LATE_COLLAPSE,
    LATENT_IGNORED,
    MODE_COLLAPSE,
    NOISE_COLLAPSE,
    PARTIAL_COLLAPSE,
)
from ganglion.doctor.findings.convergence import GROWING_OSCILLATION, NON_CONVERGENCE, OSCILLATION, STALLED
from ganglion.doctor.findings.image_mistakes import PADDING_SHORTCUT, RANGE_MISMATCH
from ganglion.doctor.findings.learning_rate import LEARNING_RATE_TOO_HIGH, LEARNING_RATE_TOO_LOW
from ganglion.doctor.findings.loop_mistakes import (
    EVAL_MODE,
    GRADIENTS_NOT_ZEROED,
    LABELS_SWAPPED,
    OPTIMIZER_CROSSTALK,
)
from ganglion.doctor.findings.mistakes import (
    BATCHNORM_MISMATCH,
    CLIP_SATURATION,
    LOSS_CLAMPED,
    NON_FINITE,
)
from ganglion.doctor.findings.optimization import BAD_INITIALIZATION, EXPLODING_GRADIENT
from ganglion.doctor.findings.overfitting import DISCRIMINATOR_OVERFITTING, MEMORIZATION
from ganglion.doctor.rule import Rule

__all__ = ["RULES"]

RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        NON_FINITE,
        OPTIMIZER_CROSSTALK,
        GRADIENTS_NOT_ZEROED,
        LABELS_SWAPPED,
        EVAL_MODE,
        RANGE_MISMATCH,
        PADDING_SHORTCUT,
        LOSS_CLAMPED,
        LATENT_IGNORED,
        BATCHNORM_MISMATCH,
        LATE_COLLAPSE,
        BAD_INITIALIZATION,
        EXPLODING_GRADIENT,
        LEARNING_RATE_TOO_HIGH,
        LEARNING_RATE_TOO_LOW,
        CLIP_SATURATION,
        CAPACITY_IMBALANCE,
        GENERATOR_WINS,
        BLANK_COLLAPSE,
        NOISE_COLLAPSE,
        MODE_COLLAPSE,
        PARTIAL_COLLAPSE,
        VANISHING_GENERATOR_GRADIENT,
        DISCRIMINATOR_WINS,
        DISCRIMINATOR_OVERFITTING,
        MEMORIZATION,
        GROWING_OSCILLATION,
        OSCILLATION,
        STALLED,
        NON_CONVERGENCE,
    )
}
