"""Projection: the latent that best reproduces an image, and whether the image is in the generator's range.

N starts, Z dimensions, C channels, H height, W width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.latent.model import Model, for_each
from ganglion.networks.custom import AnyDiscriminator
from ganglion.streams import Purpose, stream

__all__ = [
    "DEFAULT",
    "Projection",
    "Settings",
    "Spent",
    "best_starts",
    "feature_distance",
    "project",
    "search",
    "unlimited",
]


CANDIDATES = 512  # random latents from which the starts are chosen
FEATURE_WEIGHT = 0.1
PRIOR_WEIGHT = 0.01
FAR = 0.5  # of the error of random samples: above, the image is out of range


class Settings(NamedTuple):
    starts: int = 8
    steps: int = 300
    learning_rate: float = 0.1


DEFAULT = Settings()


class Projection(NamedTuple):
    z: Tensor
    """(Z,)"""
    image: Tensor
    """(C, H, W): the generator's image of z."""
    error: float
    """Root mean square difference of pixels, on [-1, 1]."""
    usual: float
    """The same for random samples."""
    trace: list[Tensor]
    """Images (C, H, W) of the best start during the search."""

    @property
    def reached(self) -> bool:
        """Whether the image is in the generator's range."""
        return self.error < FAR * self.usual


Loss = Callable[[Tensor], Tensor]
"""Images (N, C, H, W) to losses (N,)."""

Spent = Callable[[], float]
"""The share of the time for a search that is used up; from 1 on it ends with the best that it has found."""

CHOOSING = 0.3  # of the time, at most, for the choice of starts


def unlimited() -> float:
    """No limit of time: the number of steps alone ends a search, and equal seeds find the same."""
    return 0.0


def project(
    model: Model,
    picture: Tensor,
    discriminator: AnyDiscriminator | None = None,
    settings: Settings = DEFAULT,
    seed: int = 0,
    labels: Tensor | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    spent: Spent = unlimited,
) -> Projection:
    """The latent of `picture` (C, H, W) in [-1, 1].

    Adam from several starts on the squared error of pixels and of D's features (a perceptual loss), with a penalty towards
    the typical norm under the prior. A generator without gradients is searched
    by CMA-ES. `labels` (1,) is the class for a conditional model. `spent` ends it before its number of steps. Raises
    ValueError for an image of another shape.
    """
    target = picture.to(model.device).float()[None]
    features = None if discriminator is None else feature_distance(discriminator, target, labels)

    def loss(images: Tensor) -> Tensor:
        found = (images - target).square().mean((1, 2, 3))
        return found if features is None else found + FEATURE_WEIGHT * features(images)

    starts, usual = best_starts(model, loss, target, settings.starts, seed, labels, spent)
    z, images = search(model, loss, starts, settings, labels, progress, spent)
    error = float((images[-1] - target[0]).square().mean().sqrt())
    return Projection(z, images[-1], error, usual, images)


def best_starts(
    model: Model, loss: Loss, target: Tensor, count: int, seed: int, labels: Tensor | None, spent: Spent = unlimited
) -> tuple[Tensor, float]:
    """The best `count` of CANDIDATES random latents (count, Z), or of those that the time suffices for, and the error of
    random samples."""
    if labels is None and model.labels(1) is not None:
        raise ValueError("the model is conditional: pass the class to draw, labels=model.labels(1, label=...)")
    z = model.latents(CANDIDATES, seed)
    losses, errors = [], []
    for images in model.chunks(z, labels):
        if images.shape[1:] != target.shape[1:]:
            raise ValueError(
                f"the generator makes images of {tuple(images.shape[1:])}; the image is {tuple(target.shape[1:])}"
            )
        losses.append(loss(images))
        errors.append((images - target).square().mean((1, 2, 3)).sqrt())
        if spent() > CHOOSING:
            break
    best = torch.cat(losses).argsort()[:count]
    return z[best], float(torch.cat(errors).mean())


def search(
    model: Model,
    loss: Loss,
    starts: Tensor,
    settings: Settings,
    labels: Tensor | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    spent: Spent = unlimited,
) -> tuple[Tensor, list[Tensor]]:
    """The best latent (Z,) found from the starts (N, Z), and the images of its optimisation."""
    network = model.network
    if network is not None and _passes_gradients(network, starts[:1], labels):
        return _descend(model, network, loss, starts, settings, labels, progress, spent)
    return _evolve(model, loss, starts[0], settings, labels, progress, spent)


def _descend(
    model: Model, network: nn.Module, loss: Loss, starts: Tensor, settings: Settings, labels: Tensor | None,
    progress: Callable[[int, int], None], spent: Spent,
) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
    z = starts.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([z], settings.learning_rate)
    each = [] if labels is None else [for_each(labels, len(z))]
    best_loss = torch.full((len(z),), math.inf, device=z.device)
    best = starts.clone()
    trace: list[Tensor] = []
    for step in range(settings.steps):
        share = max(step / settings.steps, spent())
        if step and share >= 1:
            break
        for group in optimizer.param_groups:  # to zero at the end, as a half cosine
            group["lr"] = settings.learning_rate * (1 + math.cos(math.pi * min(1, share))) / 2
        images = network(z, *each)
        losses = loss(images)
        total = (losses + PRIOR_WEIGHT * _off_the_prior(z, model)).sum()
        z.grad = torch.autograd.grad(total, z)[0]  # of z only: the network's weights get no gradient
        with torch.no_grad():
            better = losses < best_loss
            best[better], best_loss[better] = z[better], losses[better]
        if step % max(1, settings.steps // 60) == 0:
            trace.append(images.detach().clone())
        optimizer.step()
        with torch.no_grad():
            if model.latent.prior == "uniform":
                z.clamp_(-1, 1)
        progress(step + 1, settings.steps)
    winner = int(best_loss.argmin())
    final = model.generate(best[winner : winner + 1], labels)[0]
    return best[winner].detach(), [*(images[winner] for images in trace), final]


def _evolve(
    model: Model, loss: Loss, start: Tensor, settings: Settings, labels: Tensor | None,
    progress: Callable[[int, int], None], spent: Spent,
) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
    """CMA-ES (Hansen 2016, arXiv 1604.00772), for generators without gradients."""
    from cmaes import CMA, SepCMA

    kind = CMA if len(start) <= 64 else SepCMA  # a full covariance is feasible in few dimensions only
    first = int(stream(0, Purpose.EXAMINED, 7).integers(2**31))
    optimizer = kind(mean=start.cpu().double().numpy(), sigma=0.5, seed=first, population_size=32)
    best_loss, best, trace = math.inf, start, []
    for step in range(settings.steps):
        if step and spent() >= 1:
            break
        candidates = np.stack([optimizer.ask() for _ in range(optimizer.population_size)])
        z = torch.from_numpy(candidates).float().to(model.device)
        images = model.generate(z, labels)
        losses = loss(images) + PRIOR_WEIGHT * _off_the_prior(z, model)
        optimizer.tell([(x, float(value)) for x, value in zip(candidates, losses, strict=True)])
        winner = int(losses.argmin())
        if float(losses[winner]) < best_loss:
            best_loss, best = float(losses[winner]), z[winner]
        if step % max(1, settings.steps // 60) == 0:
            trace.append(images[winner].clone())
        progress(step + 1, settings.steps)
    return best, [*trace, model.generate(best[None], labels)[0]]


def _off_the_prior(z: Tensor, model: Model) -> Tensor:
    """Squared deviation of latents (N, Z) from the typical set of the prior: norm sqrt(Z), or [-1, 1] for the uniform one."""
    if model.latent.prior == "uniform":
        return (z.abs() - 1).clamp_min(0).square().sum(1)
    off: Tensor = z.norm(dim=1) / math.sqrt(z.shape[1]) - 1
    return off.square()


def feature_distance(discriminator: AnyDiscriminator, target: Tensor, labels: Tensor | None = None) -> Loss:
    """Mean over D's blocks of the squared difference to `target` (1, C, H, W) of unit feature vectors at each position.

    `labels` (1,) is the class for a conditional D.
    As LPIPS: Zhang et al. 2018, arXiv 1801.03924, equation 1, without learned weights.
    """

    def layers(images: Tensor) -> list[Tensor]:
        each = None if labels is None else for_each(labels, len(images))
        return [torch.nn.functional.normalize(maps, dim=1) for maps in discriminator.features(images, each)]

    with torch.no_grad():
        target_features = layers(target)

    def loss(images: Tensor) -> Tensor:
        pairs = zip(layers(images), target_features, strict=True)
        distances = [(found - wanted).square().sum(1).flatten(1).mean(1) for found, wanted in pairs]
        return torch.stack(distances).mean(0)

    return loss


def _passes_gradients(network: nn.Module, z: Tensor, labels: Tensor | None) -> bool:
    inputs = z.detach().clone().requires_grad_(True)
    try:
        with torch.enable_grad():
            output = network(inputs, *([] if labels is None else [labels])).sum()
            (gradient,) = torch.autograd.grad(output, inputs)
    except RuntimeError:
        return False
    return bool(gradient.isfinite().all()) and bool(gradient.abs().sum() > 0)
