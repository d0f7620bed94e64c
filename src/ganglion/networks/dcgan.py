"""The DCGAN family (Radford et al. 2015, arXiv 1511.06434) for any size that doublings of a base grid reach.

N images, C channels, H height, W width, Z latent dimension.
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from ganglion.networks.layers import NORMS, FromGrid, ToGrid, activation, feature_maps
from ganglion.recipe.schema import DcganDiscriminator, DcganGenerator
from ganglion.recipe.size import Chain

__all__ = ["Discriminator", "Generator"]


class Generator(nn.Module):
    """z (N, Z) to images (N, C, H, W) in [-1, 1]: a linear layer to the base grid, then transposed convolutions."""

    def __init__(self, settings: DcganGenerator, latent_dim: int, channels: int, chain: Chain) -> None:
        super().__init__()
        maps = feature_maps(settings.width, chain.doublings)[::-1]  # from the base grid to the largest resolution
        norm = NORMS[settings.norm]
        self.stem = ToGrid(latent_dim, maps[0], chain.base, bias=norm is None)
        layers: list[nn.Module] = []
        for depth, (before, after) in enumerate(itertools.pairwise([*maps, channels]), start=1):
            layers += [norm(before)] if norm else []
            layers += [activation(settings.activation, settings.slope)]
            layers += [_upsampling(before, after, settings.kernel, bias=norm is None or depth == len(maps))]
        self.layers = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        images: Tensor = self.layers(self.stem(z))
        return images


class Discriminator(nn.Module):
    """Images (N, C, H, W) to logits (N,): strided convolutions to the base grid, then a linear layer."""

    def __init__(self, settings: DcganDiscriminator, channels: int, chain: Chain) -> None:
        super().__init__()
        maps = feature_maps(settings.width, chain.doublings)
        norm = NORMS[settings.norm]
        layers: list[nn.Module] = []
        for depth, (before, after) in enumerate(itertools.pairwise([channels, *maps])):
            normed = norm is not None and depth > 0  # not at D's input: it needs the images' own mean and scale
            layers += [_downsampling(before, after, settings.kernel, bias=not normed)]
            layers += [norm(after)] if norm and normed else []
            layers += [activation(settings.activation, settings.slope)]
        self.layers = nn.Sequential(*layers)
        self.head = FromGrid(maps[-1], chain.base)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.layers(images))
        return logits


def _upsampling(before: int, after: int, kernel: int, bias: bool) -> nn.Module:
    """Doubles height and width."""
    padding, output_padding = (1, 0) if kernel == 4 else (2, 1)
    return nn.ConvTranspose2d(before, after, kernel, 2, padding, output_padding, bias=bias)


def _downsampling(before: int, after: int, kernel: int, bias: bool) -> nn.Module:
    """Halves height and width."""
    return nn.Conv2d(before, after, kernel, 2, 1 if kernel == 4 else 2, bias=bias)
