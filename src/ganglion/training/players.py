"""What is trained: G, D, the average of G's weights, their optimisers and running statistics.

The exponential moving average begins with the first step. Yazici et al. 2018, arXiv 1806.04498.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer as TorchOptimizer

from ganglion.networks.build import build_discriminator, build_generator
from ganglion.networks.custom import AnyDiscriminator, CustomNetworks
from ganglion.recipe.parts import Adam, AdamW, Optimizer, OptimizerName, RmsProp
from ganglion.recipe.schema import Ema, Recipe
from ganglion.training.running_stats import RunningStats

__all__ = [
    "OPTIMIZERS",
    "Players",
    "assemble",
    "build_players",
    "decay",
    "ema_of",
    "frozen",
    "update_ema",
]


def ema_of(generator: nn.Module) -> nn.Module:
    """A frozen copy of G in eval mode, never put in train mode: drawing samples cannot move its statistics."""
    return copy.deepcopy(generator).eval().requires_grad_(False)


def decay(settings: Ema, images: int, batch: int) -> float:
    """Share of the average that survives a step of `batch` images: 0.5 ** (batch / half-life), Karras et al. 2020.

    The half-life is at most `rampup_ratio` times the images seen, so that the first weights are soon forgotten.
    """
    halflife = settings.halflife_kimg * 1000
    if settings.rampup_ratio is not None:
        halflife = min(halflife, images * settings.rampup_ratio)
    return float(0.5 ** (batch / halflife)) if halflife > 0 else 0.0


@torch.no_grad()
def update_ema(ema: nn.Module, generator: nn.Module, kept: float) -> None:
    """ema = kept * ema + (1 - kept) * G, for weights and batch-norm statistics alike; counters are copied."""
    pairs = list(zip(_tensors(ema), _tensors(generator), strict=True))
    averaged = [pair for pair in pairs if pair[0].is_floating_point()]
    torch._foreach_lerp_(
        [e for e, _ in averaged], [g for _, g in averaged], 1 - kept
    )  # one fused pass over all weights
    for e, g in pairs:
        if not e.is_floating_point():
            e.copy_(g)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


Weights = Iterable[nn.Parameter]


@dataclass(frozen=True)
class Players:
    """Everything whose tensors a checkpoint keeps."""

    generator: nn.Module
    discriminator: AnyDiscriminator
    ema: nn.Module
    optimizer_g: TorchOptimizer
    optimizer_d: TorchOptimizer
    running_stats: RunningStats

    def networks(self) -> dict[str, nn.Module]:
        """By the name that their file has in a checkpoint."""
        return {
            "generator": self.generator,
            "ema": self.ema,
            "discriminator": self.discriminator,
            "running_stats": self.running_stats,
        }

    def optimizers(self) -> dict[str, TorchOptimizer]:
        return {"generator": self.optimizer_g, "discriminator": self.optimizer_d}

    def state(self) -> Iterator[tuple[str, Tensor]]:
        """Every weight and statistic of the networks, by name."""
        for name, network in self.networks().items():
            for key, tensor in network.state_dict().items():
                yield f"{name}.{key}", tensor


def build_players(recipe: Recipe, device: torch.device, own: CustomNetworks | None = None) -> Players:
    """The players that a recipe describes, before the first step; of networks `own` where its family is custom."""
    if own is not None:
        generator, discriminator = own.build(recipe)
        return assemble(recipe, generator.to(device), discriminator.to(device))
    return assemble(recipe, build_generator(recipe).to(device), build_discriminator(recipe).to(device))


def assemble(recipe: Recipe, generator: nn.Module, discriminator: AnyDiscriminator) -> Players:
    """Players of these two networks, with the recipe's optimisers."""
    return Players(
        generator,
        discriminator,
        ema_of(generator),
        _optimizer(generator, recipe.optimizer.generator),
        _optimizer(discriminator, recipe.optimizer.discriminator),
        RunningStats(recipe, generator, discriminator).to(next(generator.parameters()).device),
    )


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """While it lasts, gradients flow through `network`, but none is computed for its weights."""
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in trained:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in trained:
            weight.requires_grad_(True)


def _adam(weights: Weights, settings: Optimizer) -> TorchOptimizer:
    assert isinstance(settings, Adam)
    return torch.optim.Adam(weights, settings.lr, (settings.beta1, settings.beta2), settings.eps, fused=True)


def _adamw(weights: Weights, settings: Optimizer) -> TorchOptimizer:
    assert isinstance(settings, AdamW)
    betas = (settings.beta1, settings.beta2)
    return torch.optim.AdamW(weights, settings.lr, betas, settings.eps, settings.weight_decay, fused=True)


def _rmsprop(weights: Weights, settings: Optimizer) -> TorchOptimizer:
    assert isinstance(settings, RmsProp)
    return torch.optim.RMSprop(weights, settings.lr, settings.decay, settings.eps, foreach=True)


OPTIMIZERS: dict[OptimizerName, Callable[[Weights, Optimizer], TorchOptimizer]] = {
    "adam": _adam,
    "adamw": _adamw,
    "rmsprop": _rmsprop,
}
"""fused: one pass over all weights, on CPU and GPU; RMSprop has none, and works on all weights operation by operation."""


def _optimizer(network: nn.Module, settings: Optimizer) -> TorchOptimizer:
    """Of the weights that are trained: those with requires_grad=False stay as they are."""
    return OPTIMIZERS[settings.kind]([weight for weight in network.parameters() if weight.requires_grad], settings)
