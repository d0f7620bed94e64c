"""Layers that the families share, chosen by the recipe's words."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganglion.recipe.families import Activation

__all__ = ["ACTIVATIONS", "ToGrid", "activation", "feature_maps", "full_precision", "widened"]

ACTIVATIONS: dict[Activation, Callable[[float, bool], nn.Module]] = {
    "relu": lambda slope, inplace: nn.ReLU(inplace),
    "leaky-relu": nn.LeakyReLU,
    "silu": lambda slope, inplace: nn.SiLU(inplace),
    "elu": lambda slope, inplace: nn.ELU(inplace=inplace),
}


def activation(name: Activation, slope: float, inplace: bool = True) -> nn.Module:
    """In place it takes no memory of its own, but writes over its input: not where that is used again."""
    return ACTIVATIONS[name](slope, inplace)


def feature_maps(width: int, count: int, most: int) -> list[int]:
    """Feature maps from the largest resolution to the base grid: `width`, doubling up to `most` times `width`."""
    return [width * min(2**i, most) for i in range(count)]


def full_precision(like: Tensor) -> torch.autocast:
    """Inside, nothing is computed in bf16: for statistics and distances, whose small differences count."""
    device = like.device.type if like.device.type != "meta" else "cpu"  # where costs are counted, nothing is computed
    return torch.autocast(device, enabled=False)


def widened(x: Tensor) -> Tensor:
    """x in float32, or as it is where it is wider still."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class ToGrid(nn.Module):
    """A vector (N, Z) as a base grid of feature maps (N, C, H, W): a linear layer, laid out channels-last."""

    def __init__(self, dim: int, maps: int, grid: tuple[int, int], bias: bool) -> None:
        super().__init__()
        self.shape = (*grid, maps)
        self.linear = nn.Linear(dim, maps * grid[0] * grid[1], bias=bias)

    def forward(self, z: Tensor) -> Tensor:
        grid: Tensor = self.linear(z)
        return grid.view(-1, *self.shape).permute(0, 3, 1, 2)  # (N, C, H, W), channels-last in memory
