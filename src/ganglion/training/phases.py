"""One step's forward passes and loss terms, as the training loop and `check` compute them; nothing here changes a weight.

N images in a batch, C channels, H height, W width, Z latent dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganglion.networks.custom import AnyDiscriminator
from ganglion.objectives.adversarial import AdversarialLoss
from ganglion.objectives.losses import DiscriminatorOutput, Parts, discriminator_loss, generator_loss, needs_real
from ganglion.objectives.penalties import PenaltyInputs
from ganglion.recipe.schema import Recipe
from ganglion.training.players import Players, frozen

__all__ = ["DiscriminatorPass", "StepContext", "discriminator_pass", "discriminator_terms", "generator_terms"]


@dataclass(frozen=True)
class StepContext:
    """What both phases of a step share."""

    recipe: Recipe
    players: Players
    augment: Callable[[Tensor], Tensor]
    """Augmentation and instance noise: what happens to images on their way to D."""
    random: torch.Generator
    """On the device, of this step alone."""
    autocast: Callable[[], AbstractContextManager[Any]]
    adversarial: AdversarialLoss | None = None
    """The loss where objective.adversarial is custom."""


class DiscriminatorPass(NamedTuple):
    """D on a real and on a generated batch."""

    real: Tensor
    fake: Tensor
    """G's images (N, C, H, W); with their graph where the G phase goes on with them."""
    seen_real: Tensor
    seen_fake: Tensor
    """Both as D saw them, augmented; (N, C, H, W)."""
    real_logits: Tensor
    fake_logits: Tensor
    """float32 (N,), or (N, P) of a D with a map of logits"""


def discriminator_pass(
    step: StepContext, real: Tensor, labels: Tensor | None, z: Tensor, keep_graph: bool
) -> DiscriminatorPass:
    """D's logits on `real` (N, C, H, W) and on G's images of z (N, Z). `keep_graph`: the G phase uses these images."""
    generator, discriminator = step.players.generator, step.players.discriminator
    with step.autocast():
        with torch.set_grad_enabled(keep_graph):
            fake = generator(z, labels)  # (N, C, H, W)
        seen_real, seen_fake = step.augment(real), step.augment(fake.detach())
        real_logits = discriminator(seen_real, labels).float()  # (N,)
        fake_logits = discriminator(seen_fake, labels).float()
    return DiscriminatorPass(real, fake, seen_real, seen_fake, real_logits, fake_logits)


def discriminator_terms(step: StepContext, passed: DiscriminatorPass, labels: Tensor | None, update: int) -> Parts:
    """The terms of D's loss at its update number `update`, after the running means took this batch in."""
    objective, stats = step.recipe.objective, step.players.running_stats
    discriminator = step.players.discriminator
    inputs = PenaltyInputs(
        partial(discriminator, labels=labels), passed.seen_real, passed.seen_fake, passed.real_logits, passed.fake_logits,
        stats.mean("mean_real"), stats.mean("mean_fake"), step.random,
    )  # fmt: skip
    parts = discriminator_loss(objective, inputs, update, step.adversarial)
    return parts | stats.historical_averaging(objective.historical_averaging_weight, "discriminator", discriminator)


def generator_terms(step: StepContext, fake: Tensor, seen_real: Tensor, labels: Tensor | None, images: int) -> Parts:
    """The terms of G's loss for its images `fake` (N, C, H, W), after `images` images; no gradient is computed for D."""
    objective, stats, players = step.recipe.objective, step.players.running_stats, step.players
    discriminate = partial(_output, players.discriminator, labels=labels, layer=objective.feature_matching.layer)
    with step.autocast(), frozen(players.discriminator):
        fakes = discriminate(step.augment(fake))
        with torch.no_grad():
            reals = discriminate(seen_real) if needs_real(objective) else None
        parts = generator_loss(objective, reals, fakes, images, step.adversarial)
    return parts | stats.historical_averaging(objective.historical_averaging_weight, "generator", players.generator)


def _output(
    discriminator: AnyDiscriminator, images: Tensor, labels: Tensor | None, layer: int | str
) -> DiscriminatorOutput:
    logits, features = discriminator.trace(images, labels, layer)
    return DiscriminatorOutput(logits.float(), features)
