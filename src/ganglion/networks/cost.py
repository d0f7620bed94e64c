"""What a network costs: parameters, and floating-point operations of a forward pass, counted by PyTorch itself."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ganglion.networks.build import build_discriminator, build_generator, class_count
from ganglion.recipe.schema import Recipe

__all__ = ["Cost", "cost_of"]


class Cost(NamedTuple):
    parameters: int
    flops: int
    """Of a forward pass of one image; a multiplication and an addition count as two."""

    def __str__(self) -> str:
        return f"{self.parameters / 1e6:.2f} M parameters, {self.flops / 1e6:.1f} MFLOP an image"


def cost_of(recipe: Recipe) -> tuple[Cost, Cost]:
    """Cost of G and of D. Nothing is computed: the networks are built on PyTorch's meta device."""
    with torch.device("meta"):
        generator, discriminator = build_generator(recipe), build_discriminator(recipe)
        n = recipe.training.batch  # with a reference batch, the cost of an image depends on it
        labels = torch.zeros(n, dtype=torch.int64) if class_count(recipe) else None
        images = torch.empty(n, recipe.data.channels or 0, *(recipe.data.size or (0, 0)))
        latents = torch.empty(n, recipe.latent.dim)
    return _cost(generator, latents, labels), _cost(discriminator, images, labels)


def _cost(network: nn.Module, batch: torch.Tensor, labels: torch.Tensor | None) -> Cost:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(batch, labels)
    return Cost(sum(p.numel() for p in network.parameters()), counter.get_total_flops() // len(batch))
