"""Runs one batch through user-supplied networks and losses before training, so that mistakes are reported at once.

N images, C channels, H height, W width, Z latent dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ganglion.augment.pipeline import noise_at
from ganglion.data.batches import Batches
from ganglion.errors import GanglionError, RecipeError
from ganglion.networks.base import has_batch_norm
from ganglion.networks.custom import WrappedDiscriminator, recorded
from ganglion.networks.sampling import CHUNK, draw_latents, generate
from ganglion.objectives.adversarial import AdversarialLoss
from ganglion.objectives.losses import ramp, total
from ganglion.recipe.conflicts import batch_norm_conflict
from ganglion.recipe.schema import Recipe
from ganglion.streams import Purpose, stream
from ganglion.training.own import Own
from ganglion.training.phases import StepContext, discriminator_pass, discriminator_terms, generator_terms
from ganglion.training.players import Players, assemble
from ganglion.training.prepare import PreparedRun, batches_of, build_first_players
from ganglion.training.running_stats import logit_summary

__all__ = ["check_own", "first_step"]

TOLERANCE = 1e-3  # of the bounds of images
Found = TypeVar("Found")


def first_step(recipe: Recipe, players: Players, own: Own, autocast: Callable[[], Any] = nullcontext) -> StepContext:
    """The context of a first step, with a random generator of its own."""
    device = players.running_stats.means.device
    random, objective = torch.Generator(device).manual_seed(0), recipe.objective
    noise, matching = noise_at(objective.instance_noise, 0), ramp(0, objective.feature_matching.ramp_kimg)
    return StepContext(recipe, players, random, autocast, own.adversarial, noise=noise, matching=matching)


def check_own(prepared: PreparedRun, own: Own, devices: int = 1) -> None:
    """Runs up to 16 images forward and backward through user-supplied networks and losses. Raises RecipeError.

    It uses copies, and leaves the caller's random state as it was.
    """
    if own.networks is None and own.adversarial is None:
        return
    recipe, batches = prepared.recipe, batches_of(prepared)
    n = min(recipe.training.batch // devices, recipe.training.micro_batch or CHUNK, CHUNK)  # what fits is not known yet
    real, labels = batches.take(0, n)  # (N, C, H, W), (N,)
    z = draw_latents(recipe.latent, n, stream(recipe.training.seed, Purpose.LATENT)).to(prepared.device)
    with torch.random.fork_rng(devices=[prepared.device] if prepared.device.type == "cuda" else []):
        players = _players(recipe, batches, own, z, real, labels)
        step = first_step(recipe, players, own, partial(_autocast, recipe, prepared.device))
        _check_step(step, real, labels, z, own)


def _autocast(recipe: Recipe, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=recipe.training.precision == "bf16")


def _players(recipe: Recipe, batches: Batches, own: Own, z: Tensor, real: Tensor, labels: Tensor | None) -> Players:
    if own.networks is None:
        players = build_first_players(recipe, batches, own)
        players.generator.train()
        players.discriminator.train()
        return players
    generator, discriminator = own.networks.build(recipe)
    g, d = generator.to(real.device).train(), discriminator.to(real.device).train()
    for name, network in (("G", g), ("D", d)):
        if not any(weight.requires_grad for weight in network.parameters()):
            raise RecipeError(
                f"{name} has no weight that could be trained: requires_grad is False for all, or there are none"
            )
    _check_discriminator(recipe, d)
    given = "" if labels is None else f" and labels {tuple(labels.shape)}"
    with torch.no_grad():
        fake = _called(f"G does not take latents {tuple(z.shape)}{given}", lambda: g(z, labels), LATENTS)
    _check_images(fake, real)
    _called(f"D does not take images {tuple(real.shape)}{given}", lambda: d(real, labels))
    some = slice(0, 1)
    with torch.no_grad():
        drawn = _called(
            f"G in eval mode does not take {CHUNK} latents",
            lambda: generate(g.eval(), z[some], None if labels is None else labels[some]),
        )
    _check_images(drawn, real[some])
    g.train()
    return assemble(recipe, g, d)


LATENTS = '; latents have two axes and latent.dim numbers each, 100 unless set={"latent.dim": ...} says otherwise'


def _check_discriminator(recipe: Recipe, d: WrappedDiscriminator) -> None:
    layer, weight = recipe.objective.feature_matching.layer, recipe.objective.feature_matching.weight
    with recorded(d.network, layer):
        pass  # raises where there is no such module
    layers = [module for module in d.network.modules() if not list(module.children())]
    if layers and isinstance(layers[-1], nn.Sigmoid):
        raise RecipeError("D ends in nn.Sigmoid, and losses take logits, which have no bounds: leave the sigmoid out")
    told = batch_norm_conflict(recipe)
    if told and has_batch_norm(d):
        raise RecipeError(f"{told}; take it out of D, or set objective.penalties to []")
    if (
        weight
        and layer == -1
        and not any(isinstance(module, (nn.Linear, nn.modules.conv._ConvNd)) for module in layers)
    ):
        raise RecipeError("D has no linear layer or convolution: name a module with objective.feature_matching.layer")


def _check_images(fake: Any, real: Tensor) -> None:
    if not isinstance(fake, Tensor):
        raise RecipeError(f"G returned {type(fake).__name__}; a tensor of images {tuple(real.shape)} was expected")
    if fake.shape != real.shape:
        raise RecipeError(
            f"G returned {tuple(fake.shape)}, and images of this run are {tuple(real.shape)} (N, C, H, W): change G, or set "
            "data.size and data.channels"
        )
    if not fake.is_floating_point() or not bool(fake.isfinite().all()):
        raise RecipeError(
            f"G's first images ({fake.dtype}) are not finite floats: they have NaN, infinity or whole numbers"
        )
    low, high = float(fake.min()), float(fake.max())
    if low < -1 - TOLERANCE or high > 1 + TOLERANCE:
        raise RecipeError(
            f"G's images reach from {low:.3g} to {high:.3g}, and have to lie in [-1, 1]: end G with nn.Tanh"
        )


def _check_step(step: StepContext, real: Tensor, labels: Tensor | None, z: Tensor, own: Own) -> None:
    """Both phases of the first step with their gradients."""
    recipe, players = step.recipe, step.players
    seen = _called(
        "G and D fail on the first batch", lambda: discriminator_pass(step, real, labels, z, 0, for_generator=True)
    )
    players.running_stats.update(logit_summary(seen.real_logits, seen.fake_logits), recipe, len(real))
    if own.adversarial is not None:
        check_loss(own.adversarial, seen.real_logits, seen.fake_logits)
    parts = _called("D's loss fails on the first batch", lambda: discriminator_terms(step, seen, labels, 0))
    _called("D's gradient fails on the first batch", total(parts).backward)
    fake, seen_real = seen.fake, seen.seen_real
    if not fake.requires_grad:
        raise RecipeError("G's images carry no gradient, so G could not learn: is there a detach() or no_grad in it?")
    parts = _called("G's loss fails on the first batch", lambda: generator_terms(step, fake, seen_real, labels))
    loss = total(parts)
    if loss.requires_grad:
        _called("G's gradient fails on the first batch", loss.backward)
    for name, network in (("D", players.discriminator), ("G", players.generator)):
        if all(weight.grad is None for weight in network.parameters()):
            how = "" if name == "D" else " through D"
            raise RecipeError(f"no gradient reaches {name}'s weights{how}: is there a detach() or no_grad in the way?")


def check_loss(loss: AdversarialLoss, real: Tensor, fake: Tensor) -> None:
    """Both sides of a loss of one's own on logits (N,) or (N, P). Raises RecipeError."""
    for side in ("discriminator", "generator"):
        name = f"the loss {loss.name}: {side}(real, fake)"
        value = _called(f"{name} fails", partial(getattr(loss, side), real, fake))
        if not isinstance(value, Tensor) or value.ndim:
            came = f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise RecipeError(
                f"{name} returned {came} for logits {tuple(real.shape)}; a scalar tensor was expected: .mean()?"
            )
        if not bool(value.isfinite()):
            raise RecipeError(f"{name} is {float(value.detach())} on the first batch; it has to be finite")
        if not value.requires_grad:
            raise RecipeError(f"{name} does not depend on the logits by a gradient: is there a detach() too many?")


def _called(what: str, call: Callable[[], Found], hint: str = "") -> Found:
    """What `call` returns; whatever a foreign function raises becomes a RecipeError that says so."""
    try:
        return call()
    except GanglionError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise RecipeError(f"{what}: {type(error).__name__}: {reason}{hint}") from error
