"""What the two players contest: losses, penalties, and how often each moves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ganglion.recipe.part import Part

__all__ = [
    "LOGISTIC",
    "ZERO_IS_THE_BOUNDARY",
    "AdversarialName",
    "Balance",
    "FeatureMatching",
    "InstanceNoise",
    "Objective",
    "Penalty",
    "PenaltyName",
]

AdversarialName = Literal[
    "non-saturating", "minimax", "least-squares", "hinge", "wasserstein", "relativistic", "relativistic-average"
]

PenaltyName = Literal["r1", "r2", "gradient", "gradient-one-sided", "dragan", "lecam"]

LOGISTIC = ("non-saturating", "minimax")
"""Losses whose D is a classifier by cross-entropy, so that its labels can be smoothed."""

ZERO_IS_THE_BOUNDARY = (*LOGISTIC, "hinge")
"""Losses under which the sign of a logit is D's answer. Least squares draws the line at 1/2, the others nowhere."""


class Penalty(Part):
    kind: PenaltyName
    """On D's gradient: r1 (at reals), r2 (at fakes), gradient and gradient-one-sided (between them, towards length 1),
    dragan (around reals, towards length 1). On D's logits: lecam (towards their running means)."""
    weight: float = Field(1.0, gt=0)
    """Multiplies the penalty; r1 and r2 are halves of a squared length, so that this is their papers' gamma."""
    every: int = Field(1, ge=1)
    """Computed at every so many updates of D, scaled up by as much."""


class FeatureMatching(Part):
    weight: float = Field(0, ge=0)
    """Multiplies the squared distance between mean features of reals and fakes in G's loss; 0: none."""
    ramp_kimg: float = Field(0, ge=0)
    """The weight rises linearly over so many thousand images; 0: no rise."""
    layer: int = -1
    """Which block of D gives the features: 0 the first, -1 the last."""


class InstanceNoise(Part):
    std: float = Field(0, ge=0)
    """Standard deviation of the Gaussian noise on all that D sees, in units of pixels on [-1, 1]; 0: none."""
    decay_kimg: float | None = Field(None, gt=0)
    """The noise falls linearly to 0 over so many thousand images. None: it stays."""


class Objective(Part):
    adversarial: AdversarialName = "non-saturating"
    """The loss that the two players contest."""
    adversarial_weight: float = Field(1.0, ge=0)
    """Multiplies G's adversarial loss; 0: G learns by feature matching alone."""
    penalties: tuple[Penalty, ...] = ()
    """What is added to D's loss."""
    clip: float | None = Field(None, gt=0)
    """After each of D's updates its weights are clipped to [-clip, clip], Arjovsky et al. 2017. None: they are not."""
    real_label: float = Field(1.0, gt=0.5, le=1)
    """What D is told that a real image's probability is; below 1: one-sided label smoothing, Salimans et al. 2016."""
    feature_matching: FeatureMatching = FeatureMatching()
    history: float = Field(0, ge=0)
    """Weight of historical averaging in both losses, Salimans et al. 2016: the squared distance of a player's weights
    from their mean over all steps so far."""
    instance_noise: InstanceNoise = InstanceNoise()


class Balance(Part):
    d_steps: int = Field(1, ge=1, le=100)
    """Updates of D in a step, each on a batch of its own."""
    g_steps: int = Field(1, ge=1, le=100)
    """Updates of G in a step, each on latents of its own."""
    stall: float | None = Field(None, gt=0.5, lt=1)
    """A player waits while its lead is beyond this: D while separation is above it, G while it is below 1 minus it.
    Separation is the chance that D ranks a real image above a fake one: 0.5 cannot tell, 1 always tells. None: never."""
