"""The residual family of WGAN-GP (Gulrajani et al. 2017, arXiv 1704.00028, appendix F) and SNGAN (Miyato et al. 2018,
arXiv 1802.05957, appendix B.4), for any size that doublings of a base grid reach. D ends in a sum over places, as SNGAN's;
WGAN-GP's in their mean, which differs by a factor.

N images, C feature maps, H height, W width.
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ganglion.networks.base import Discriminator, Generator, Head
from ganglion.networks.layers import Normalise, ToGrid, activation, feature_maps
from ganglion.recipe.networks import Norm, ResnetDiscriminator, ResnetGenerator
from ganglion.recipe.size import Chain

__all__ = ["discriminator", "generator"]


MOST = 4  # a block has two convolutions of 3x3 at full depth where DCGAN has one of 4x4


class Up(nn.Module):
    """A residual block that doubles height and width: (norm, non-linearity, convolution) twice, beside a 1x1 shortcut."""

    def __init__(self, before: int, after: int, settings: ResnetGenerator, classes: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = (Normalise(settings.norm, maps, classes) for maps in (before, after))
        self.activation = activation(settings.activation, settings.slope, inplace=False)
        self.convolution1 = nn.Conv2d(before, after, 3, padding=1)
        self.convolution2 = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        short = interpolate(self.shortcut(x), scale_factor=2)  # a 1x1 convolution and enlarging may change places
        out = self.activation(self.norm1(x, labels))
        out = self.convolution1(interpolate(out, scale_factor=2))
        out = self.convolution2(self.activation(self.norm2(out, labels)))
        whole: Tensor = short + out
        return whole


class ToImage(nn.Module):
    """Norm, non-linearity, convolution to the image's channels."""

    def __init__(self, maps: int, channels: int, settings: ResnetGenerator, classes: int) -> None:
        super().__init__()
        self.norm = Normalise(settings.norm, maps, classes)
        self.activation = activation(settings.activation, settings.slope, inplace=False)
        self.convolution = nn.Conv2d(maps, channels, 3, padding=1)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        out: Tensor = self.convolution(self.activation(self.norm(x, labels)))
        return out


class Down(nn.Module):
    """A residual block that halves height and width; the first one begins with the image, which no non-linearity may cut."""

    def __init__(self, before: int, after: int, settings: ResnetDiscriminator, first: bool = False) -> None:
        super().__init__()
        norm: Norm = "none" if first else settings.norm
        self.before = nn.Sequential() if first else nn.Sequential(Normalise(norm, before), _act(settings))
        self.convolution1 = nn.Conv2d(before, after, 3, padding=1)
        self.between = nn.Sequential(Normalise(norm, after), _act(settings))
        self.convolution2 = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        out = self.convolution1(self.before(x))
        out = self.convolution2(self.between(out))
        whole: Tensor = avg_pool2d(out, 2) + self.shortcut(avg_pool2d(x, 2))
        return whole


def generator(settings: ResnetGenerator, latent_dim: int, channels: int, chain: Chain, classes: int = 0) -> Generator:
    """A linear layer to the base grid, then residual blocks."""
    maps = feature_maps(settings.width, chain.doublings + 1, MOST)[::-1]
    by_norm = settings.conditioning == "norm"
    inside = classes if by_norm else 0
    blocks: list[nn.Module] = [Up(before, after, settings, inside) for before, after in itertools.pairwise(maps)]
    blocks += [ToImage(maps[-1], channels, settings, inside)]
    return Generator(lambda dim: ToGrid(dim, maps[0], chain.base, bias=True), blocks, latent_dim, classes, not by_norm)


def discriminator(settings: ResnetDiscriminator, channels: int, chain: Chain, classes: int = 0) -> Discriminator:
    """Residual blocks to the base grid, then a sum over its places and a linear layer."""
    maps = feature_maps(settings.width, chain.doublings, MOST)
    blocks: list[nn.Module] = [
        Down(before, after, settings, first=depth == 0)
        for depth, (before, after) in enumerate(itertools.pairwise([channels, *maps]))
    ]
    blocks += [_act(settings)]
    return Discriminator(blocks, Head(maps[-1], chain.base, classes, settings.minibatch, pooled=True), classes)


def _act(settings: ResnetDiscriminator) -> nn.Module:
    return activation(settings.activation, settings.slope, inplace=False)  # a block's input is its shortcut's too
