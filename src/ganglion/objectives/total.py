"""What each player minimises: the adversarial loss and every term that the recipe adds, and their values by name.

N images, A features of an image.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ganglion.objectives.adversarial import ADVERSARIAL, label_smoothing
from ganglion.objectives.generator_terms import feature_matching, ramp
from ganglion.objectives.penalties import Scene, due, penalty_of
from ganglion.recipe.objective import Objective

__all__ = ["Judgement", "Parts", "discriminator_loss", "generator_loss", "needs_real", "total"]

Parts = dict[str, Tensor]
"""The terms of a loss by name, each with its weight in it."""


class Judgement(NamedTuple):
    """What D says of a batch."""

    logits: Tensor
    """(N,)"""
    features: Tensor
    """(N, A), of the layer that feature matching looks at."""


def discriminator_loss(objective: Objective, scene: Scene, update: int) -> Parts:
    """The terms of D's loss at its update number `update`."""
    parts = {"adversarial": ADVERSARIAL[objective.adversarial].discriminator(scene.real_logits, scene.fake_logits)}
    if objective.real_label < 1:
        parts["label_smoothing"] = label_smoothing(scene.real_logits, objective.real_label)
    for penalty in due(objective.penalties, update):
        parts[penalty.kind.replace("-", "_")] = penalty_of(penalty, scene)
    return parts


def generator_loss(objective: Objective, real: Judgement | None, fake: Judgement, images: int) -> Parts:
    """The terms of G's loss after `images` images; `real` is given where `needs_real` says so."""
    rivals = fake.logits if real is None else real.logits
    adversarial = ADVERSARIAL[objective.adversarial].generator(rivals, fake.logits)
    parts = {"adversarial": objective.adversarial_weight * adversarial}
    matching = objective.feature_matching
    if matching.weight and real is not None:
        weight = matching.weight * ramp(images, matching.ramp_kimg)
        parts["feature_matching"] = weight * feature_matching(real.features.float(), fake.features.float())
    return parts


def needs_real(objective: Objective) -> bool:
    """Whether G's loss looks at what D says of reals."""
    return ADVERSARIAL[objective.adversarial].generator_needs_real or objective.feature_matching.weight > 0


def total(parts: Parts) -> Tensor:
    return torch.stack(list(parts.values())).sum()
