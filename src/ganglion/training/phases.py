"""One step's forward passes and loss terms, as the training loop and `check` compute them; nothing here changes a weight.

N images in a batch, C channels, H height, W width, Z latent dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ganglion.augment.pipeline import present
from ganglion.objectives.adversarial import AdversarialLoss
from ganglion.objectives.losses import (
    DiscriminatorOutput,
    Parts,
    compared,
    discriminator_loss,
    generator_loss,
    needs_real,
)
from ganglion.objectives.penalties import MeanInParts, PenaltyInputs, differentiated_inputs
from ganglion.objectives.second_derivatives import twice_differentiated
from ganglion.recipe.schema import Recipe
from ganglion.training.micro_batches import in_parts, mean_in_parts
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
    gathered: Callable[[Tensor], Tensor] | None = None
    """Where several processes share a batch: values (N, ...) of each to those of all; differentiable."""
    noise: float | Tensor = 0.0
    """Standard deviation of instance noise."""
    matching: float | Tensor = 1.0
    """Factor of feature matching's weight."""
    halvings: int = 0
    """How many times the images of the step are halved."""
    strength: Tensor | None = None
    """ADA's probability for the whole step, which the step itself moves; None: that of the running statistics."""

    def augment(self, images: Tensor) -> Tensor:
        """What happens to images (N, C, H, W) on their way to D: augmentation and instance noise."""
        strength = self.players.running_stats.strength if self.strength is None else self.strength
        return present(images, self.recipe.augment, strength, self.noise, self.random)

    def compared(self, logits: Tensor) -> Tensor:
        """The logits to compute the adversarial loss of; D's loss gathers them itself."""
        return compared(self.recipe.objective, logits, self.gathered)

    def generate(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """G's images (N, C, H, W) of z (N, Z), in micro-batches where the recipe has them."""
        generator, most = self.players.generator, self.recipe.training.micro_batch
        smaller = {"halvings": self.halvings} if self.halvings else {}
        return in_parts(generator, lambda *some: (generator(*some, **smaller),), most, z, labels)[0]

    def discriminate(
        self, images: Tensor, labels: Tensor | None, layer: int | str | None = None
    ) -> DiscriminatorOutput:
        """D's output on images (N, C, H, W), likewise; with the features of `layer` where one is named."""
        discriminator, most = self.players.discriminator, self.recipe.training.micro_batch

        def output(some: Tensor, theirs: Tensor | None) -> tuple[Tensor, ...]:
            found = (discriminator(some, theirs),) if layer is None else discriminator.trace(some, theirs, layer)
            return found[0].float(), *found[1:]

        found = in_parts(discriminator, output, most, images, labels)
        return DiscriminatorOutput(found[0], None if layer is None else found[1])

    def judge(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """D's logits (N,) on all images at once, as penalties differentiate them."""
        with self.autocast(), twice_differentiated(images.device):
            logits: Tensor = self.players.discriminator(images, labels).float()
        return logits

    def reconstruction_errors(self, images: Tensor, quarter: Tensor) -> Tensor:
        """The errors (N,) of D's reconstructions of images (N, C, H, W), where it has decoders; `quarter` as they take it."""
        discriminator: Any = self.players.discriminator
        with self.autocast():
            errors: Tensor = discriminator.reconstruction_errors(images, quarter)
        return errors

    def mean_in_parts(self, labels: Tensor | None) -> MeanInParts | None:
        """How penalties on D's gradient are computed; None where the recipe has no micro-batches."""
        discriminator, most = self.players.discriminator, self.recipe.training.micro_batch
        if most is None:
            return None
        return lambda of, images: mean_in_parts(
            discriminator, lambda some, theirs: of(partial(self.judge, labels=theirs), some), most, images, labels
        )

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
    in_one_piece = (
        step.recipe.training.micro_batch is None
    )  # in micro-batches penalties have forward passes of their own
    differentiated = differentiated_inputs(step.recipe.objective.penalties, update) if in_one_piece else set()
    with step.autocast():
        with torch.set_grad_enabled(for_generator):
            fake = step.generate(z, labels)  # (N, C, H, W)
        judged = fake.detach().requires_grad_(for_generator and step.one_stage)
        seen_real, seen_fake = step.augment(real), step.augment(judged)
        if "real" in differentiated:
            seen_real = seen_real.detach().requires_grad_()
        if "fake" in differentiated and not seen_fake.requires_grad:
            seen_fake = seen_fake.detach().requires_grad_()
        with twice_differentiated(real.device) if "real" in differentiated else nullcontext():
            real_logits = step.discriminate(seen_real, labels).logits  # (N,)
        with twice_differentiated(real.device) if "fake" in differentiated else nullcontext():
            fake_logits = step.discriminate(seen_fake, labels).logits
    return DiscriminatorPass(real, fake, judged, seen_real, seen_fake, real_logits, fake_logits)


def discriminator_terms(step: StepContext, passed: DiscriminatorPass, labels: Tensor | None, update: int) -> Parts:
    """The terms of D's loss at its update number `update`, after the running means took this batch in."""
    objective, stats = step.recipe.objective, step.players.running_stats
    discriminator = step.players.discriminator
    inputs = PenaltyInputs(
        partial(step.judge, labels=labels), passed.seen_real, passed.seen_fake, passed.real_logits, passed.fake_logits,
        stats.mean("mean_real"), stats.mean("mean_fake"), step.random, step.mean_in_parts(labels), step.gathered,
        step.reconstruction_errors,
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
    layer = objective.feature_matching.layer if objective.feature_matching.weight else None
    with step.autocast(), frozen(players.discriminator):
        fakes = _over_processes(step, step.discriminate(step.augment(fake), labels, layer))
        with torch.no_grad():
            reals = (
                _over_processes(step, step.discriminate(seen_real, labels, layer)) if needs_real(objective) else None
            )
        return generator_loss(objective, reals, fakes, step.matching, step.adversarial)


def _over_processes(step: StepContext, output: DiscriminatorOutput) -> DiscriminatorOutput:
    """What of D's output the loss compares over a batch, over all processes: of features, the mean of each process (P, A)."""
    features = output.features
    if features is not None and step.gathered is not None and step.recipe.objective.feature_matching.weight > 0:
        features = step.gathered(features.float().mean(0, keepdim=True))
    return DiscriminatorOutput(step.compared(output.logits), features)
