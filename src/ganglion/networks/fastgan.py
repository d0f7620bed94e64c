"""The family of FastGAN (Liu et al. 2021, "Towards Faster and Stabilized GAN Training for High-fidelity Few-shot Image
Synthesis", arXiv 2101.04775), for few images: G excites fine feature maps by coarse ones, D also has to keep what its
features say of a real image, so that it cannot judge by a few pixels alone.

N images, C channels, F feature maps, H height, W width, P places of the map of logits.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, glu, interpolate, leaky_relu

from ganglion.networks.base import Discriminator, Generator
from ganglion.networks.layers import Normalise, ToGrid, embed, feature_maps, widened
from ganglion.recipe.networks import FastganDiscriminator, FastganGenerator, Norm
from ganglion.recipe.size import Chain

__all__ = [
    "Decoder",
    "ExcitingGenerator",
    "ReconstructingDiscriminator",
    "SkipLayerExcitation",
    "discriminator",
    "generator",
]


MOST = 16  # times the width, as in the authors' code
APART = 4  # doublings between the coarse maps and those they excite: 8 and 128 pixels in the paper's figure 3
GRID = 4  # pixels that the excitation sees of the coarse maps
SLOPE = 0.2
MOST_DECODED = 4  # doublings of a decoder, figure 4


class GatedUp(nn.Module):
    """Twice the height and width: nearest enlargement, 3x3 convolution, norm, gated linear unit. Figure 3."""

    def __init__(self, before: int, after: int, norm: Norm, classes: int = 0) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, 2 * after, 3, padding=1, bias=norm == "none")
        self.norm = Normalise(norm, 2 * after, classes)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return glu(self.norm(self.convolution(interpolate(x, scale_factor=2)), labels), 1)


class SkipLayerExcitation(nn.Module):
    """Fine maps (N, F, H, W), each multiplied by a number in (0, 1) that the coarse maps give. Equation 1 and figure 3."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(coarse, fine, GRID), nn.Conv2d(fine, fine, 1)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        seen = leaky_relu(self.squeeze(adaptive_avg_pool2d(coarse, GRID)), 0.1)  # (N, F, 1, 1)
        excited: Tensor = fine * self.excite(seen).sigmoid()
        return excited


class ToImage(nn.Module):
    """A 3x3 convolution to the image's channels."""

    def __init__(self, maps: int, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(maps, channels, 3, padding=1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:  # noqa: ARG002 (as every block)
        drawn: Tensor = self.convolution(x)
        return drawn


class ExcitingGenerator(Generator):
    """z (N, Z) to images (N, C, H, W) in [-1, 1]; the maps of each resolution are excited by those four doublings below."""

    def __init__(self, excitations: Sequence[SkipLayerExcitation], norm: nn.Module, **of_generator: object) -> None:
        super().__init__(**of_generator)  # type: ignore[arg-type]
        self.norm, self.excitations = norm, nn.ModuleList(excitations)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        resolutions = [glu(self.norm(self.first_maps(z, labels), labels), 1)]
        *ups, to_image = self.blocks
        for up in ups:
            x = up(resolutions[-1], labels)
            if len(resolutions) >= APART:
                excite = self.excitations[len(resolutions) - APART]
                x = excite(resolutions[len(resolutions) - APART], x)
            resolutions.append(x)
        return torch.tanh(to_image(resolutions[-1], labels))


class Down(nn.Module):
    """Half the height and width: the mean of a strided path of two convolutions and a pooled one of a 1x1. Figure 4."""

    def __init__(self, before: int, after: int, settings: FastganDiscriminator) -> None:
        super().__init__()
        plain = settings.norm == "none"
        self.strided = nn.Conv2d(before, after, 4, 2, 1, bias=plain)
        self.convolution = nn.Conv2d(after, after, 3, padding=1, bias=plain)
        self.shortcut = nn.Conv2d(before, after, 1, bias=plain)
        self.norms = nn.ModuleList(Normalise(settings.norm, after) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = self.norms
        long = leaky_relu(first(self.strided(x)), SLOPE)
        long = leaky_relu(second(self.convolution(long)), SLOPE)
        return (long + leaky_relu(third(self.shortcut(avg_pool2d(x, 2))), SLOPE)) / 2


class FromImage(nn.Module):
    """A strided convolution of the image, without norm."""

    def __init__(self, channels: int, maps: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, maps, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return leaky_relu(self.convolution(x), SLOPE)


class MapHead(nn.Module):
    """Feature maps (N, F, h, w) to a map of logits (N, P), one for each window of 4x4 places.

    With classes, the projection of Miyato and Koyama 2018 (arXiv 1802.05637, equation 3) is added, alike at all places.
    """

    def __init__(self, maps: int, settings: FastganDiscriminator, classes: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(maps, maps, 1, bias=settings.norm == "none")
        self.norm = Normalise(settings.norm, maps)
        self.logits = nn.Conv2d(maps, 1, 4)
        self.projection = nn.Embedding(classes, maps) if classes else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.logits(leaky_relu(self.norm(self.mix(x)), SLOPE)).flatten(1)  # (N, P)
        if self.projection is None:
            return logits
        agreement: Tensor = (embed(self.projection, labels) * x.mean((2, 3))).sum(1, keepdim=True)  # (N, 1)
        return logits + agreement


class Decoder(nn.Module):
    """Feature maps (N, F, h, w) to images (N, C, H, W) in [-1, 1], by up to four doublings. Figure 4."""

    def __init__(self, maps: int, channels: int, doublings: int, norm: Norm) -> None:
        super().__init__()
        widths = [maps, *(max(8, maps // 2**i) for i in range(1, doublings + 1))]
        self.ups = nn.Sequential(*(GatedUp(before, after, norm) for before, after in itertools.pairwise(widths)))
        self.to_image = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.to_image(self.ups(x)))


class ReconstructingDiscriminator(Discriminator):
    """Images (N, C, H, W), and labels where there are `classes` (K), to logits (N, P).

    Its last feature maps are decoded to the whole image, the maps before them to a quarter of it.
    """

    def __init__(self, blocks: Sequence[nn.Module], head: nn.Module, decoders: Sequence[Decoder], classes: int) -> None:
        super().__init__(blocks, head, classes)
        self.of_whole, self.of_quarter = decoders

    def reconstruction_errors(self, images: Tensor, quarter: Tensor) -> Tensor:
        """Mean absolute differences (N,) of images and their reconstructions, of the whole and of one quarter. Equation 4.

        The paper compares features of a network trained on ImageNet; here pixels on [-1, 1] are compared. `quarter`: which
        one it is, int64 (1,), 0 to 3.
        """
        *_, fine, coarse = images, *self.features(images)
        pairs = (
            (self.of_whole(coarse), images),
            (
                self.of_quarter(_quarters(fine).index_select(0, quarter)[0]),
                _quarters(images).index_select(0, quarter)[0],
            ),
        )
        errors = [(widened(decoded) - _reduced(target, decoded)).abs().mean((1, 2, 3)) for decoded, target in pairs]
        return errors[0] + errors[1]


def _quarters(x: Tensor) -> Tensor:
    """The corners (4, N, F, h / 2, w / 2) of maps (N, F, h, w)."""
    return torch.stack([half for rows in x.chunk(2, 2) for half in rows.chunk(2, 3)])


def _reduced(images: Tensor, like: Tensor) -> Tensor:
    return avg_pool2d(widened(images), images.shape[2] // like.shape[2])


def generator(settings: FastganGenerator, latent_dim: int, channels: int, chain: Chain, classes: int = 0) -> Generator:
    """A linear layer to the base grid, then a doubling for each resolution."""
    maps = feature_maps(settings.width, chain.doublings + 1, MOST)[::-1]  # from the base grid up
    by_norm = settings.conditioning == "norm"
    inside = classes if by_norm else 0
    blocks: list[nn.Module] = [
        GatedUp(before, after, settings.norm, inside) for before, after in itertools.pairwise(maps)
    ]
    return ExcitingGenerator(
        [SkipLayerExcitation(coarse, fine) for coarse, fine in zip(maps, maps[APART:], strict=False)],
        Normalise(settings.norm, 2 * maps[0], inside),
        stem=lambda dim: ToGrid(dim, 2 * maps[0], chain.base, bias=settings.norm == "none"),
        blocks=[*blocks, ToImage(maps[-1], channels)], latent_dim=latent_dim, classes=classes, embedded=not by_norm,
    )  # fmt: skip


def discriminator(settings: FastganDiscriminator, channels: int, chain: Chain, classes: int = 0) -> Discriminator:
    """Halvings to twice the base grid, so that there is a map of logits."""
    maps = feature_maps(settings.width, chain.doublings - 1, MOST)
    downs = [Down(before, after, settings) for before, after in itertools.pairwise(maps)]
    finer = maps[-2] if len(maps) > 1 else channels
    decoders = [
        Decoder(maps[-1], channels, min(MOST_DECODED, chain.doublings - 1), settings.norm),
        Decoder(finer, channels, min(MOST_DECODED, chain.doublings - 2), settings.norm),
    ]
    blocks = [FromImage(channels, maps[0]), *downs]
    return ReconstructingDiscriminator(blocks, MapHead(maps[-1], settings, classes), decoders, classes)
