"""The losses of D and G: the adversarial loss and every term that the recipe adds, by name.

N images, A features of an image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from ganglion.objectives.adversarial import AdversarialLoss, adversarial_of, label_smoothing
from ganglion.objectives.penalties import Gathered, PenaltyInputs, due, penalty_of
from ganglion.recipe.parts import Objective

__all__ = [
    "DiscriminatorOutput",
    "Parts",
    "compared",
    "discriminator_loss",
    "feature_matching",
    "generator_loss",
    "historical_averaging",
    "needs_real",
    "ramp",
    "total",
]


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    """|E f(x) - E f(G(z))|^2 over features (N, A). Salimans et al. 2016, arXiv 1606.03498, section 3.1. In [0, inf)."""
    return (real.mean(0) - fake.mean(0)).square().sum()


def historical_averaging(weights: Iterable[Tensor], means: Iterable[Tensor]) -> Tensor:
    """|w - mean of w over all past steps|^2. Salimans et al. 2016, section 3.3. In [0, inf)."""
    return torch.stack([(now - mean).square().sum() for now, mean in zip(weights, means, strict=True)]).sum()


def ramp(images: int, ramp_kimg: float) -> float:
    """Factor of a weight after `images` images: rises from 0 to 1 over `ramp_kimg` thousand; 1 without a ramp."""
    return min(1.0, images / (1000 * ramp_kimg)) if ramp_kimg else 1.0


Parts = dict[str, Tensor]
"""The terms of a loss by name, each multiplied by its weight."""


class DiscriminatorOutput(NamedTuple):
    """D's output for a batch of images."""

    logits: Tensor
    """(N,), or (N, P) for a D with a logit for each of P patches."""
    features: Tensor | None
    """(N, A), of one layer; None where they are not requested or not available."""


def discriminator_loss(
    objective: Objective, inputs: PenaltyInputs, update: int, own: AdversarialLoss | None = None
) -> Parts:
    """The terms of D's loss at its update number `update`. `own`: the loss where objective.adversarial is custom."""
    real, fake = (compared(objective, logits, inputs.gathered) for logits in (inputs.real_logits, inputs.fake_logits))
    parts = {"adversarial": adversarial_of(objective, own).discriminator(real, fake)}
    if objective.real_label < 1:
        parts["label_smoothing"] = label_smoothing(inputs.real_logits, objective.real_label)
    for penalty in due(objective.penalties, update):
        parts[penalty.kind.replace("-", "_")] = penalty_of(penalty, inputs)
    return parts


def compared(objective: Objective, logits: Tensor, gathered: Gathered | None) -> Tensor:
    """The logits to compute the adversarial loss of: the whole batch's where it is no mean over single images or pairs.

    Every process then has the loss of the whole batch, and the mean of their gradients is that loss's gradient.
    """
    compares = objective.adversarial in ("relativistic-average", "custom")
    return gathered(logits) if gathered is not None and compares else logits


def generator_loss(
    objective: Objective, real: DiscriminatorOutput | None, fake: DiscriminatorOutput, matching: float | Tensor,
    own: AdversarialLoss | None = None,
) -> Parts:  # fmt: skip
    """The terms of G's loss; `real` is required if `needs_real`, `own` as above.

    `matching` is the factor of feature matching's weight, as `ramp` gives it.
    """
    real_logits = fake.logits if real is None else real.logits
    adversarial = adversarial_of(objective, own).generator(real_logits, fake.logits)
    parts = {"adversarial": objective.adversarial_weight * adversarial}
    weight = objective.feature_matching.weight
    if weight and real is not None and real.features is not None and fake.features is not None:
        parts["feature_matching"] = weight * matching * feature_matching(real.features.float(), fake.features.float())
    return parts


def needs_real(objective: Objective) -> bool:
    """Whether G's loss uses D's output on reals."""
    return objective.traits.generator_needs_real or objective.feature_matching.weight > 0


def total(parts: Parts) -> Tensor:
    return torch.stack(list(parts.values())).sum()
