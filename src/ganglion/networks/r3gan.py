"""The R3GAN family (Huang et al. 2025, "The GAN is dead; long live the GAN!", arXiv 2501.05441, section 3), written from
the paper: residual blocks with grouped convolutions, no normalisation, Fixup's first weights, bilinear resampling.

One thing differs: tanh bounds G's images, as in all our families. N images, C feature maps, H height, W width.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ganglion.networks.base import Discriminator, Generator, Head
from ganglion.networks.layers import feature_maps
from ganglion.recipe.networks import R3ganDiscriminator, R3ganGenerator
from ganglion.recipe.size import Chain

__all__ = ["discriminator", "generator"]


MOST = 4

Settings = R3ganGenerator | R3ganDiscriminator


class Residual(nn.Module):
    """x + 1x1(act(grouped 3x3(act(1x1 x)))): an inverted bottleneck.

    `total` residual blocks in the whole network set the first weights (Fixup, Zhang et al. 2019, arXiv 1901.09321): the
    last convolution starts at 0, the others at total**(-1/4) times the usual size, so that depth does not explode.
    """

    def __init__(self, maps: int, settings: Settings, total: int) -> None:
        super().__init__()
        inside = maps * settings.expansion
        groups = max(1, inside // settings.group)
        while inside % groups:
            groups -= 1
        self.total = total
        self.widen = nn.Conv2d(maps, inside, 1)
        self.mix = nn.Conv2d(inside, inside, 3, padding=1, groups=groups)
        self.narrow = nn.Conv2d(inside, maps, 1, bias=False)
        self.activation = nn.LeakyReLU(settings.slope, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.narrow(self.activation(self.mix(self.activation(self.widen(x)))))
        return x + out

    def adjust_first_weights(self) -> None:
        self.widen.weight.mul_(self.total**-0.25)
        self.mix.weight.mul_(self.total**-0.25)
        self.narrow.weight.zero_()


class Basis(nn.Module):
    """A vector (N, Z) as a base grid (N, C, H, W): learned feature maps, each scaled by a linear layer of the vector."""

    def __init__(self, dim: int, maps: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.empty(maps, *grid))
        self.linear = nn.Linear(dim, maps, bias=False)

    def forward(self, z: Tensor) -> Tensor:
        grid: Tensor = (self.basis * self.linear(z)[..., None, None]).contiguous(memory_format=torch.channels_last)
        return grid

    def draw_first_weights(self, random: torch.Generator) -> None:
        """N(0, 1) for the basis, and a linear layer that keeps z's size: no non-linearity halves it here."""
        nn.init.normal_(self.basis, generator=random)
        self.linear.weight.div_(math.sqrt(2))


class Up(nn.Module):
    """Residual blocks at one resolution; before them, where `before` is given, bilinear doubling and a 1x1 convolution."""

    def __init__(self, before: int | None, maps: int, settings: R3ganGenerator, total: int) -> None:
        super().__init__()
        self.enlarge = before is not None
        self.change = nn.Conv2d(before, maps, 1, bias=False) if before not in (None, maps) else nn.Identity()
        self.blocks = nn.Sequential(*(Residual(maps, settings, total) for _ in range(settings.blocks)))

    def forward(self, x: Tensor, _labels: Tensor | None) -> Tensor:
        x = self.change(x)  # before enlarging, where it costs a quarter
        x = interpolate(x, scale_factor=2, mode="bilinear") if self.enlarge else x
        out: Tensor = self.blocks(x)
        return out


class ToImage(nn.Module):
    """A 1x1 convolution to the image's channels."""

    def __init__(self, maps: int, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(maps, channels, 1)

    def forward(self, x: Tensor, _labels: Tensor | None) -> Tensor:
        out: Tensor = self.convolution(x)
        return out

    def adjust_first_weights(self) -> None:
        self.convolution.weight.mul_(0.25)  # tanh begins in its linear part


class Down(nn.Module):
    """Residual blocks at one resolution; after them, where `after` is given, bilinear halving and a 1x1 convolution."""

    def __init__(self, maps: int, after: int | None, settings: R3ganDiscriminator, total: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Residual(maps, settings, total) for _ in range(settings.blocks)))
        self.reduce = after is not None
        self.change = nn.Conv2d(maps, after, 1, bias=False) if after not in (None, maps) else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(x)
        out: Tensor = self.change(avg_pool2d(x, 2) if self.reduce else x)  # bilinear halving is the mean of 2x2
        return out


def generator(settings: R3ganGenerator, latent_dim: int, channels: int, chain: Chain, classes: int = 0) -> Generator:
    """A basis on the base grid, then residual blocks at each resolution."""
    maps = feature_maps(settings.width, chain.doublings + 1, MOST)[::-1]
    total = settings.blocks * len(maps)
    blocks: list[nn.Module] = [
        Up(before, after, settings, total) for before, after in itertools.pairwise([None, *maps]) if after
    ]
    return Generator(
        lambda dim: Basis(dim, maps[0], chain.base), [*blocks, ToImage(maps[-1], channels)], latent_dim, classes
    )


def discriminator(settings: R3ganDiscriminator, channels: int, chain: Chain, classes: int = 0) -> Discriminator:
    """Residual blocks at each resolution, then one weight for each place of each feature map, and a linear layer."""
    maps = feature_maps(settings.width, chain.doublings + 1, MOST)
    total = settings.blocks * len(maps)
    blocks: list[nn.Module] = [nn.Conv2d(channels, maps[0], 1)]
    blocks += [Down(now, after, settings, total) for now, after in itertools.pairwise([*maps, None]) if now]
    blocks += [nn.Conv2d(maps[-1], maps[-1], chain.base, groups=maps[-1], bias=False)]
    return Discriminator(blocks, Head(maps[-1], (1, 1), classes, settings.minibatch), classes)
