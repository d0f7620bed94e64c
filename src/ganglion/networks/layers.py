"""Layers that the families share, chosen by the recipe's words."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from ganglion.recipe.schema import Activation, Norm

__all__ = ["ACTIVATIONS", "NORMS", "FromGrid", "ToGrid", "activation", "feature_maps"]

MOST_TIMES_WIDTH = (
    8  # the paper's and the tutorials' 64x64 networks stop here; beyond, parameters grow faster than quality
)

NORMS: dict[Norm, Callable[[int], nn.Module] | None] = {
    "batch": nn.BatchNorm2d,
    "instance": lambda maps: nn.InstanceNorm2d(maps, affine=True),
    "layer": lambda maps: nn.GroupNorm(1, maps),
    "none": None,
}

ACTIVATIONS: dict[Activation, Callable[[float], nn.Module]] = {
    "relu": lambda slope: nn.ReLU(inplace=True),
    "leaky-relu": lambda slope: nn.LeakyReLU(slope, inplace=True),
    "silu": lambda slope: nn.SiLU(inplace=True),
    "elu": lambda slope: nn.ELU(inplace=True),
}


def activation(name: Activation, slope: float) -> nn.Module:
    return ACTIVATIONS[name](slope)


def feature_maps(width: int, doublings: int) -> list[int]:
    """Feature maps from the largest resolution to the base grid: `width`, doubling up to 8 times `width`."""
    return [width * min(2**i, MOST_TIMES_WIDTH) for i in range(doublings)]


class ToGrid(nn.Module):
    """A vector (N, Z) as a base grid of feature maps (N, C, H, W): a linear layer, laid out channels-last."""

    def __init__(self, dim: int, maps: int, grid: tuple[int, int], bias: bool) -> None:
        super().__init__()
        self.shape = (*grid, maps)
        self.linear = nn.Linear(dim, maps * grid[0] * grid[1], bias=bias)

    def forward(self, z: Tensor) -> Tensor:
        grid: Tensor = self.linear(z)
        return grid.view(-1, *self.shape).permute(0, 3, 1, 2)  # (N, C, H, W), channels-last in memory


class FromGrid(nn.Module):
    """A base grid of feature maps (N, C, H, W) as one logit for each image (N,)."""

    def __init__(self, maps: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.linear = nn.Linear(maps * grid[0] * grid[1], 1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.linear(x.permute(0, 2, 3, 1).flatten(1))  # (N, H*W*C), a view of channels-last memory
        return logits.squeeze(1)  # (N,)
