"""The DCGAN family (Radford et al. 2015, arXiv 1511.06434) for any size that doublings of a base grid reach."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from ganglion.networks.base import Discriminator, Generator, Head
from ganglion.networks.layers import Normalise, ToGrid, activation, feature_maps
from ganglion.networks.resampling import DOWNSAMPLINGS, UPSAMPLINGS
from ganglion.recipe.networks import DcganDiscriminator, DcganGenerator, Norm
from ganglion.recipe.size import Chain

__all__ = ["discriminator", "generator"]


MOST = 8  # the paper's and the tutorials' 64x64 networks stop here; beyond, parameters grow faster than quality


class Up(nn.Module):
    """Doubles height and width: norm, non-linearity, transposed convolution or what the recipe has in its place."""

    def __init__(self, before: int, after: int, settings: DcganGenerator, classes: int, bias: bool) -> None:
        super().__init__()
        self.norm = Normalise(settings.norm, before, classes)
        self.activation = activation(settings.activation, settings.slope)
        self.convolution: nn.Module
        if settings.upsampling == "transposed" and settings.kernel == 5:
            self.convolution = nn.ConvTranspose2d(before, after, 5, 2, 2, 1, bias=bias)
        else:
            self.convolution = UPSAMPLINGS[settings.upsampling](before, after, bias)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        out: Tensor = self.convolution(self.activation(self.norm(x, labels)))
        return out


class ToImage(nn.Module):
    """Feature maps to the image's channels at the same size: norm, non-linearity, 3x3 convolution."""

    def __init__(self, maps: int, channels: int, settings: DcganGenerator, classes: int) -> None:
        super().__init__()
        self.norm = Normalise(settings.norm, maps, classes)
        self.activation = activation(settings.activation, settings.slope)
        self.convolution = nn.Conv2d(maps, channels, 3, padding=1)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        out: Tensor = self.convolution(self.activation(self.norm(x, labels)))
        return out


class Down(nn.Module):
    """Halves height and width: strided convolution or what the recipe has in its place, norm, non-linearity."""

    def __init__(self, before: int, after: int, settings: DcganDiscriminator, norm: Norm) -> None:
        super().__init__()
        self.convolution: nn.Module
        if settings.downsampling == "strided" and settings.kernel == 5:
            self.convolution = nn.Conv2d(before, after, 5, 2, 2, bias=norm == "none")
        else:
            self.convolution = DOWNSAMPLINGS[settings.downsampling](before, after, norm == "none")
        self.norm = Normalise(norm, after)
        self.activation = activation(settings.activation, settings.slope)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.norm(self.convolution(x)))
        return out


def generator(settings: DcganGenerator, latent_dim: int, channels: int, chain: Chain, classes: int = 0) -> Generator:
    """A linear layer to the base grid, then transposed convolutions; where the recipe has it, a layer at the image's size."""
    maps = feature_maps(settings.width, chain.doublings, MOST)[::-1]  # from the base grid up
    plain, by_norm, full = settings.norm == "none", settings.conditioning == "norm", settings.full_size_maps
    inside = classes if by_norm else 0
    steps = itertools.pairwise([*maps, full or channels])
    blocks: list[nn.Module] = [
        Up(before, after, settings, inside, bias=plain or (depth == len(maps) and not full))
        for depth, (before, after) in enumerate(steps, start=1)
    ]
    if full:
        blocks.append(ToImage(full, channels, settings, inside))
    return Generator(
        lambda dim: ToGrid(dim, maps[0], chain.base, bias=plain), blocks, latent_dim, classes, embedded=not by_norm
    )


def discriminator(settings: DcganDiscriminator, channels: int, chain: Chain, classes: int = 0) -> Discriminator:
    """Strided convolutions to the base grid, then a linear layer."""
    maps = feature_maps(settings.width, chain.doublings, MOST)
    blocks = [
        Down(
            before, after, settings, settings.norm if depth else "none"
        )  # not at D's input: it needs the images' scale
        for depth, (before, after) in enumerate(itertools.pairwise([channels, *maps]))
    ]
    return Discriminator(blocks, Head(maps[-1], chain.base, classes, settings.minibatch), classes)
