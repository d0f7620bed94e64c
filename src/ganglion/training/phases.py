"""One step's forward passes and loss terms, as the training loop and `check` compute them; nothing here changes a weight.

N images in a batch, C channels, H height, W width, Z latent dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ganglion.augment.pipeline import present
from ganglion.networks.custom import AnyDiscriminator
from ganglion.objectives.adversarial import AdversarialLoss
from ganglion.objectives.losses import DiscriminatorOutput, Parts, discriminator_loss, generator_loss, needs_real
from ganglion.objectives.penalties import PenaltyInputs, differentiated_inputs
from ganglion.recipe.schema import Recipe
from ganglion.training.players import Players, frozen

__all__ = ["DiscriminatorPass", "StepContext", "discriminator_pass", "discriminator_terms", "generator_terms"]


@dataclass(frozen=True)
class StepContext:
    """What both phases of a step share."""

    recipe: Recipe
    players: Players
    random: torch.Generator
    """On the device, of this step alone."""
    autocast: Callable[[], AbstractContextManager[Any]]
    adversarial: AdversarialLoss | None = None
    """The loss where objective.adversarial is custom."""
    noise: float | Tensor = 0.0
    """Standard deviation of instance noise."""
    matching: float | Tensor = 1.0
    """Factor of feature matching's weight."""

    def augment(self, images: Tensor) -> Tensor:
        """What happens to images (N, C, H, W) on their way to D: augmentation and instance noise."""
        return present(images, self.recipe.augment, self.players.running_stats.strength, self.noise, self.random)

    @property
    def one_stage(self) -> bool:
        """Whether G is updated from D's backward pass, as in `training.one_stage`."""
        return self.recipe.balance.updates == "simultaneous"


class JudgedFakes(Protocol):
    """Images of G of which D's opinion and its gradient are known."""

    def terms(self, fake: Tensor) -> Parts: ...


class DiscriminatorPass(NamedTuple):
    """D on a real and on a generated batch."""

    real: Tensor
    fake: Tensor
    """G's images (N, C, H, W); with their graph where the G phase goes on with them."""
    judged: Tensor
    """The same without it; requires a gradient where G is updated from D's backward pass."""
    seen_real: Tensor
    seen_fake: Tensor
    """Both as D saw them, augmented; (N, C, H, W)."""
    real_logits: Tensor
    fake_logits: Tensor
    """float32 (N,), or (N, P) of a D with a map of logits"""

    @property
    def differentiated(self) -> bool:
        """Whether the logits have a gradient at D's inputs."""
        return self.seen_real.requires_grad or self.seen_fake.requires_grad


def discriminator_pass(
    step: StepContext, real: Tensor, labels: Tensor | None, z: Tensor, update: int, for_generator: bool
) -> DiscriminatorPass:
    """D's logits on `real` (N, C, H, W) and on G's images of z (N, Z), at D's update number `update`.

    `for_generator`: the G phase goes on with these images.
    """
    generator, discriminator = step.players.generator, step.players.discriminator
    differentiated = differentiated_inputs(step.recipe.objective.penalties, update)
    with step.autocast():
        with torch.set_grad_enabled(for_generator):
            fake = generator(z, labels)  # (N, C, H, W)
        judged = fake.detach().requires_grad_(for_generator and step.one_stage)
        seen_real, seen_fake = step.augment(real), step.augment(judged)
        if "real" in differentiated:
            seen_real = seen_real.detach().requires_grad_()
        if "fake" in differentiated and not seen_fake.requires_grad:
            seen_fake = seen_fake.detach().requires_grad_()
        real_logits = discriminator(seen_real, labels).float()  # (N,)
        fake_logits = discriminator(seen_fake, labels).float()
    return DiscriminatorPass(real, fake, judged, seen_real, seen_fake, real_logits, fake_logits)


def discriminator_terms(step: StepContext, passed: DiscriminatorPass, labels: Tensor | None, update: int) -> Parts:
    """The terms of D's loss at its update number `update`, after the running means took this batch in."""
    objective, stats = step.recipe.objective, step.players.running_stats
    discriminator = step.players.discriminator

    def judge(images: Tensor) -> Tensor:
        with step.autocast():
            logits: Tensor = discriminator(images, labels).float()
        return logits

    inputs = PenaltyInputs(
        judge, passed.seen_real, passed.seen_fake, passed.real_logits, passed.fake_logits,
        stats.mean("mean_real"), stats.mean("mean_fake"), step.random,
    )  # fmt: skip
    parts = discriminator_loss(objective, inputs, update, step.adversarial)
    return parts | stats.historical_averaging(objective.historical_averaging_weight, "discriminator", discriminator)


def generator_terms(
    step: StepContext,
    fake: Tensor,
    seen_real: Tensor,
    labels: Tensor | None,
    known: JudgedFakes | None = None,
) -> Parts:
    """The terms of G's loss for its images `fake` (N, C, H, W); no gradient is computed for D.

    `known`: D's backward pass has these images' gradient already.
    """
    stats, players = step.players.running_stats, step.players
    parts = _judged_again(step, fake, seen_real, labels) if known is None else known.terms(fake)
    weight = step.recipe.objective.historical_averaging_weight
    return parts | stats.historical_averaging(weight, "generator", players.generator)


def _judged_again(step: StepContext, fake: Tensor, seen_real: Tensor, labels: Tensor | None) -> Parts:
    objective, players = step.recipe.objective, step.players
    discriminate = partial(_output, players.discriminator, labels=labels, layer=objective.feature_matching.layer)
    with step.autocast(), frozen(players.discriminator):
        fakes = discriminate(step.augment(fake))
        with torch.no_grad():
            reals = discriminate(seen_real) if needs_real(objective) else None
        return generator_loss(objective, reals, fakes, step.matching, step.adversarial)


def _output(
    discriminator: AnyDiscriminator, images: Tensor, labels: Tensor | None, layer: int | str
) -> DiscriminatorOutput:
    logits, features = discriminator.trace(images, labels, layer)
    return DiscriminatorOutput(logits.float(), features)
