"""The projected discriminator (Sauer et al. 2021, arXiv 2111.01007): heads on mixed features of a frozen, pretrained network.

D sees no pixels: SqueezeNet's feature maps of several scales are mixed by random constant convolutions, across channels and
across scales (section 3.2), and each scale has a small head. N images, C channels, H height, W width, A maps of a layer,
M maps after mixing, P places of all heads' maps of logits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

from ganglion.networks.base import Discriminator
from ganglion.networks.layers import Normalise, embed
from ganglion.networks.squeezenet import LAYERS, pretrained_squeezenet
from ganglion.recipe.networks import ProjectedDiscriminator as Settings
from ganglion.recipe.size import Chain

__all__ = ["ProjectedDiscriminator", "Projection", "discriminator"]


SCALES = {"fire3": 75.0, "fire5": 75.0, "fire9": 10.0}
"""Layers at 1/4, 1/8 and 1/16 of the image's sides, and the root mean square of their feature maps on photographs."""
SLOPE = 0.2


class Mixing(nn.Module):
    """A convolution with random weights that stay as they are."""

    def __init__(self, before: int, after: int, side: int) -> None:
        super().__init__()
        self.weight: Tensor
        self.register_buffer("weight", torch.zeros(after, before, side, side))

    def draw_first_weights(self, random: torch.Generator) -> None:
        """N(0, 1 / fan_in): the output has the variance of the input."""
        self.weight.normal_(generator=random).div_(math.sqrt(self.weight[0].numel()))

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.weight, padding=self.weight.shape[2] // 2)


class Projection(nn.Module):
    """Images (N, C, H, W) to mixed feature maps (N, M, h, w), a tensor for each scale, finest first."""

    def __init__(self, scales: int, maps: int, enlarge: int) -> None:
        super().__init__()
        self.network = pretrained_squeezenet()
        self.enlarge = enlarge
        self.layers = list(SCALES)[:scales]
        self.across_channels = nn.ModuleList(Mixing(LAYERS[layer], maps, 1) for layer in self.layers)
        self.across_scales = nn.ModuleList(Mixing(maps, maps, 3) for _ in self.layers[1:])

    def forward(self, images: Tensor) -> list[Tensor]:
        if self.enlarge > 1:
            images = interpolate(images, scale_factor=self.enlarge, mode="bilinear")
        mixed = [mix(maps) for mix, maps in zip(self.across_channels, self._chosen(images), strict=True)]
        for finer in reversed(range(len(mixed) - 1)):
            coarse: Tensor = self.across_scales[finer](mixed[finer + 1])
            mixed[finer] = mixed[finer] + interpolate(coarse, mixed[finer].shape[2:], mode="bilinear")
        return mixed

    def _chosen(self, images: Tensor) -> Iterator[Tensor]:
        """The layers' maps, divided by their usual size."""
        left = len(self.layers)
        for name, maps in zip(LAYERS, self.network.features(images), strict=False):
            if name in self.layers:
                yield maps / SCALES[name]
                left -= 1
            if not left:
                return


class ScaleHead(nn.Module):
    """Mixed maps (N, M, h, w) to a map of logits (N, P), each halving by a strided convolution.

    With classes, the projection of Miyato and Koyama 2018 (arXiv 1802.05637, equation 3) is added, alike at all places.
    """

    def __init__(self, maps: int, halvings: int, settings: Settings, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(halvings):
            convolution = nn.Conv2d(maps, maps, 4, 2, 1, bias=settings.norm == "none")
            layers += [convolution, Normalise(settings.norm, maps), nn.LeakyReLU(SLOPE, inplace=True)]
        self.body = nn.Sequential(*layers)
        self.logits = nn.Conv2d(maps, 1, 3, padding=1)
        self.projection = nn.Embedding(classes, maps) if classes else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.body(x)
        logits: Tensor = self.logits(x).flatten(1)  # (N, P)
        if self.projection is None:
            return logits
        agreement: Tensor = (embed(self.projection, labels) * x.mean((2, 3))).sum(1, keepdim=True)  # (N, 1)
        return logits + agreement


class ProjectedDiscriminator(Discriminator):
    """Images (N, 1 or 3, H, W), and labels where there are `classes` (K), to logits (N, P) of all scales."""

    def __init__(self, projection: Projection, heads: Sequence[ScaleHead], classes: int = 0) -> None:
        super().__init__([projection], nn.ModuleList(heads), classes)

    def trace(self, images: Tensor, labels: Tensor | None = None, layer: int | str = -1) -> tuple[Tensor, Tensor]:
        """Logits (N, P) and the mixed maps of scale `layer`, flat (N, A), in one pass. Raises IndexError for no such scale."""
        self.check_labels(labels)
        maps: list[Tensor] = self.blocks[0](images)
        heads: Sequence[nn.Module] = list(self.head.children())
        logits = torch.cat([head(one, labels) for head, one in zip(heads, maps, strict=True)], 1)
        return logits, maps[int(layer)].flatten(1)

    def features(self, images: Tensor, labels: Tensor | None = None) -> Iterator[Tensor]:  # noqa: ARG002 (as every D's)
        """The mixed maps (N, M, h, w) of each scale, finest first."""
        yield from self.blocks[0](images)


def discriminator(settings: Settings, channels: int, chain: Chain, classes: int = 0) -> Discriminator:
    """Heads down to the grid of the coarsest scale. Raises DataError where the weights are not installed."""
    projection = Projection(settings.scales, settings.width, settings.enlarge)
    heads = [
        ScaleHead(settings.width, settings.scales - 1 - scale, settings, classes) for scale in range(settings.scales)
    ]
    return ProjectedDiscriminator(projection, heads, classes)
