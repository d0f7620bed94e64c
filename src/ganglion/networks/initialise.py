"""First weights. Every layer's draw comes from one generator of random numbers, so a seed means the same everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.networks.layers import VirtualBatchNorm2d
from ganglion.recipe.schema import Init, InitScheme

__all__ = ["SCHEMES", "initialise"]


@runtime_checkable
class AdjustsFirstWeights(Protocol):
    """A layer whose family asks for other first weights than the scheme's; called when the scheme has been applied."""

    def adjust_first_weights(self) -> None: ...


@runtime_checkable
class DrawsFirstWeights(Protocol):
    """A layer with weights that no scheme knows."""

    def draw_first_weights(self, random: torch.Generator) -> None: ...


WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
SCALED = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm, VirtualBatchNorm2d)


def normal(weight: Tensor, std: float, random: torch.Generator) -> None:
    """N(0, std), whatever the layer's size. Radford et al. 2015, section 4, with std 0.02."""
    nn.init.normal_(weight, 0.0, std, generator=random)


def xavier(weight: Tensor, std: float, random: torch.Generator) -> None:
    """Uniform with variance 2 / (fan_in + fan_out). Glorot and Bengio 2010, equation 16."""
    nn.init.xavier_uniform_(weight, generator=random)


def kaiming(weight: Tensor, std: float, random: torch.Generator) -> None:
    """N(0, 2 / fan_in). He et al. 2015, equation 10."""
    nn.init.kaiming_normal_(weight, generator=random)


def orthogonal(weight: Tensor, std: float, random: torch.Generator) -> None:
    """Orthonormal rows or columns. Saxe et al. 2013."""
    nn.init.orthogonal_(weight, generator=random)


SCHEMES: dict[InitScheme, Callable[[Tensor, float, torch.Generator], None]] = {
    "normal": normal,
    "xavier": xavier,
    "kaiming": kaiming,
    "orthogonal": orthogonal,
}


def initialise(network: nn.Module, settings: Init, random: np.random.Generator) -> None:
    """Fills weights by the scheme, biases with 0, normalisations' scales with 1 (N(1, std) for the scheme normal).

    A class's vector is N(0, 1/E) with E its length, so that it starts about as long as one coordinate of z is wide.
    """
    draw = torch.Generator().manual_seed(int(random.integers(2**63)))
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, WEIGHTED):
                _fill(layer, settings, draw)
            elif isinstance(layer, nn.Embedding):
                nn.init.normal_(layer.weight, generator=draw)
                layer.weight.div_(layer.embedding_dim**0.5)
            elif isinstance(layer, SCALED) and layer.weight is not None and layer.bias is not None:
                nn.init.normal_(layer.weight, 1.0, settings.std if settings.scheme == "normal" else 0.0, generator=draw)
                nn.init.zeros_(layer.bias)
        for layer in network.modules():
            if isinstance(layer, DrawsFirstWeights):
                layer.draw_first_weights(draw)
            if isinstance(layer, AdjustsFirstWeights):
                layer.adjust_first_weights()


def _fill(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, settings: Init, draw: torch.Generator) -> None:
    """A transposed convolution stores its weight as (in, out, k, k), and with stride s each output sees 1 / s**2 of it.

    PyTorch's fans would be those of the convolution in the other direction, wrong by a factor of s**2 * out / in.
    """
    if isinstance(layer, nn.ConvTranspose2d) and settings.scheme != "normal":
        seen = torch.empty_like(layer.weight.transpose(0, 1), memory_format=torch.contiguous_format)
        SCHEMES[settings.scheme](seen, settings.std, draw)
        layer.weight.copy_(seen.transpose(0, 1) * math.prod(layer.stride) ** 0.5)
    else:
        SCHEMES[settings.scheme](layer.weight, settings.std, draw)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
