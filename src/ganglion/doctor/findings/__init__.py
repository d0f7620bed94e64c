"""One finding a file. Where two fit, the one that is listed first is the cause."""

from __future__ import annotations

from ganglion.doctor.findings import (
    bad_initialization,
    batchnorm_mismatch,
    blank_collapse,
    capacity_imbalance,
    clip_saturation,
    discriminator_overfitting,
    discriminator_wins,
    exploding_gradient,
    generator_wins,
    growing_oscillation,
    labels_swapped,
    late_collapse,
    latent_ignored,
    learning_rate_too_high,
    learning_rate_too_low,
    loss_clamped,
    memorization,
    mode_collapse,
    noise_collapse,
    non_finite,
    optimizer_crosstalk,
    oscillation,
    padding_shortcut,
    partial_collapse,
    range_mismatch,
    stalled,
    vanishing_generator_gradient,
)
from ganglion.doctor.rule import Rule

__all__ = ["RULES"]

RULES: dict[str, Rule] = {
    finding.RULE.code: finding.RULE
    for finding in (
        non_finite,
        optimizer_crosstalk,
        labels_swapped,
        range_mismatch,
        padding_shortcut,
        loss_clamped,
        latent_ignored,
        batchnorm_mismatch,
        late_collapse,
        bad_initialization,
        exploding_gradient,
        learning_rate_too_high,
        learning_rate_too_low,
        clip_saturation,
        capacity_imbalance,
        generator_wins,
        blank_collapse,
        noise_collapse,
        mode_collapse,
        partial_collapse,
        vanishing_generator_gradient,
        discriminator_wins,
        discriminator_overfitting,
        memorization,
        growing_oscillation,
        oscillation,
        stalled,
    )
}
