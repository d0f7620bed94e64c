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
from ganglion.platform.devices import computes_from_tensors
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
    "set_learning_rate",
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
def update_ema(ema: nn.Module, generator: nn.Module, kept: float | Tensor) -> None:
    """ema = kept * ema + (1 - kept) * G, for weights and batch-norm statistics alike; counters are copied.

    `kept` in [0, 1]; as a tensor it is a scalar on the networks' device.
    """
    pairs = list(zip(_tensors(ema), _tensors(generator), strict=True))
    averaged = [e for e, _ in pairs if e.is_floating_point()]
    now = [g.detach() for e, g in pairs if e.is_floating_point()]
    if isinstance(kept, Tensor):  # a fused interpolation takes no scalar from the device
        torch._foreach_mul_(averaged, kept)
        torch._foreach_add_(averaged, torch._foreach_mul(now, 1 - kept))
    else:
        torch._foreach_lerp_(averaged, now, 1 - kept)  # one fused pass over all weights
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


def set_learning_rate(optimizer: TorchOptimizer, lr: float) -> None:
    """The rate of the next update. Where it is a tensor, that is written in place: a CUDA graph reads it there."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr


def _adam(weights: Weights, settings: Optimizer, capturable: bool) -> TorchOptimizer:
    assert isinstance(settings, Adam)
    betas = (settings.beta1, settings.beta2)
    return torch.optim.Adam(weights, settings.lr, betas, settings.eps, fused=True, capturable=capturable)


def _adamw(weights: Weights, settings: Optimizer, capturable: bool) -> TorchOptimizer:
    assert isinstance(settings, AdamW)
    betas, decay = (settings.beta1, settings.beta2), settings.weight_decay
    return torch.optim.AdamW(weights, settings.lr, betas, settings.eps, decay, fused=True, capturable=capturable)


def _rmsprop(weights: Weights, settings: Optimizer, capturable: bool) -> TorchOptimizer:
    assert isinstance(settings, RmsProp)
    return torch.optim.RMSprop(weights, settings.lr, settings.decay, settings.eps, foreach=True, capturable=capturable)


OPTIMIZERS: dict[OptimizerName, Callable[[Weights, Optimizer, bool], TorchOptimizer]] = {
    "adam": _adam,
    "adamw": _adamw,
    "rmsprop": _rmsprop,
}
"""fused: one pass over all weights, on CPU and GPU; RMSprop has none, and works on all weights operation by operation.
capturable: all that changes from step to step is on the device, so that an update can be part of a CUDA graph."""


def _optimizer(network: nn.Module, settings: Optimizer) -> TorchOptimizer:
    """Of the weights that are trained: those with requires_grad=False stay as they are."""
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    capturable = computes_from_tensors(trained[0].device)
    optimizer = OPTIMIZERS[settings.kind](trained, settings, capturable)
    for group in optimizer.param_groups if capturable else ():
        group["lr"] = torch.full((), settings.lr, device=trained[0].device)
    return optimizer
