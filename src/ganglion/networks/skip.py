"""Networks that make and see the image at every resolution, so that training can begin with small images.

G is a skip generator, D has input skips (Karras et al. 2020, arXiv 1912.04958, section 4.1), here between the blocks of a
DCGAN: each resolution adds what it draws to the enlarged image of the one below, and D looks at the image, halved again and
again, at each of its blocks. What the resolutions above the first one add begins at zero. So G's image is at first the
enlarged small one and D's logit that of the halved image, and training at a small size trains the same function: the next size
needs no fading in, which Karras et al. 2018 (arXiv 1710.10196) used.

N images, C channels, H height, W width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ganglion.networks.base import Discriminator, Generator, Head
from ganglion.networks.few_channels import MOST_CHANNELS, ImageConv2d
from ganglion.networks.layers import Normalise, ToGrid, activation, feature_maps
from ganglion.networks.resampling import UPSAMPLINGS
from ganglion.recipe.networks import SkipDiscriminator, SkipGenerator
from ganglion.recipe.size import Chain, first_image_doublings

__all__ = ["GrowingDiscriminator", "GrowingGenerator", "discriminator", "generator"]


MOST = 8  # times the width, as in DCGAN


def _begin_at_zero(layer: nn.Module) -> None:
    for weight in layer.parameters():
        nn.init.zeros_(weight)


class Up(nn.Module):
    """One resolution of G: norm and non-linearity, then twice the size as image and as feature maps."""

    def __init__(
        self, before: int, after: int | None, settings: SkipGenerator, classes: int, channels: int | None, added: bool
    ) -> None:
        """`after`: feature maps of the next resolution; None: it is the last. `channels`: of the image; None: it has none.

        `added`: to the image of a smaller resolution, which the first weights leave as it is.
        """
        super().__init__()
        upsampling = UPSAMPLINGS[settings.upsampling]
        self.norm = Normalise(settings.norm, before, classes)
        self.activation = activation(settings.activation, settings.slope)
        self.enlarge = None if after is None else upsampling(before, after, settings.norm == "none")
        self.to_image = None if channels is None else upsampling(before, channels, True)
        self.added = added

    def forward(
        self, x: Tensor, labels: Tensor | None, image: Tensor | None, last: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Feature maps of the next resolution, not made where this is the `last`, and the image, None where there is none."""
        x = self.activation(self.norm(x, labels))
        if self.to_image is not None:
            drawn = self.to_image(x)
            image = drawn if image is None else drawn + interpolate(image, scale_factor=2, mode="bilinear")
        return x if last or self.enlarge is None else self.enlarge(x), image

    def adjust_first_weights(self) -> None:
        if self.added and self.to_image is not None:
            _begin_at_zero(self.to_image)


class GrowingGenerator(Generator):
    """z (N, Z) to images (N, C, H, W) in [-1, 1], or to those of a smaller resolution."""

    def forward(self, z: Tensor, labels: Tensor | None = None, halvings: int = 0) -> Tensor:
        """`halvings`: how many of the last resolutions are left out; the images are (N, C, H / 2**halvings, ...)."""
        x, image = self.first_maps(z, labels), None
        blocks = self.blocks[: len(self.blocks) - halvings]
        for number, block in enumerate(blocks, start=1):
            x, image = block(x, labels, image, number == len(blocks))
        assert image is not None, "the smallest image is of the first resolution that has one"
        return torch.tanh(image)


class Down(nn.Module):
    """One resolution of D: the image and the feature maps of the resolution above, halved, added; then a non-linearity."""

    def __init__(
        self, channels: int | None, before: int | None, after: int, settings: SkipDiscriminator, added: bool
    ) -> None:
        """`channels`: of the image; None: it is not seen. `before`: maps of the resolution above; None: this is the first.

        `added`: what comes from above joins a resolution that sees the image itself, and begins at zero.
        """
        super().__init__()
        of_image = ImageConv2d if (channels or 0) <= MOST_CHANNELS else nn.Conv2d
        self.from_image = None if channels is None else of_image(channels, after, 4, 2, 1)
        self.reduce = None if before is None else nn.Conv2d(before, after, 4, 2, 1)
        self.activation = activation(settings.activation, settings.slope)
        self.added = added

    def forward(self, x: Tensor | None, image: Tensor) -> Tensor:
        parts = [self.from_image(image)] if self.from_image is not None else []
        if x is not None and self.reduce is not None:
            parts.append(self.reduce(x))
        out: Tensor = self.activation(parts[0] if len(parts) == 1 else parts[0] + parts[1])
        return out

    def adjust_first_weights(self) -> None:
        if self.added and self.reduce is not None:
            _begin_at_zero(self.reduce)


class GrowingDiscriminator(Discriminator):
    """Images (N, C, H, W), or those of a smaller resolution, to logits (N,)."""

    def __init__(self, blocks: Sequence[nn.Module], head: nn.Module, height: int, classes: int = 0) -> None:
        """`height`: of the largest images."""
        super().__init__(blocks, head, classes)
        self.height = height

    def first_block(self, images: Tensor) -> int:
        """Of these images; those above it see larger ones."""
        return int(math.log2(self.height // images.shape[2]))

    def features(self, images: Tensor, labels: Tensor | None = None) -> Iterator[Tensor]:  # noqa: ARG002 (others use them)
        x = None
        for block in self.blocks[self.first_block(images) :]:
            x = block(x, images)
            yield x
            if block.from_image is not None:
                images = avg_pool2d(images, 2)


def generator(settings: SkipGenerator, latent_dim: int, channels: int, chain: Chain, classes: int = 0) -> Generator:
    """A linear layer to the base grid, then a doubling for each resolution."""
    maps = feature_maps(settings.width, chain.doublings, MOST)[::-1]  # from the base grid up
    plain, by_norm, first = settings.norm == "none", settings.conditioning == "norm", first_image_doublings(chain)
    blocks = [
        Up(
            before, after, settings, classes if by_norm else 0,
            channels if doublings >= first else None, added=doublings > first,
        )
        for doublings, (before, after) in enumerate(zip(maps, [*maps[1:], None], strict=True), start=1)
    ]  # fmt: skip
    return GrowingGenerator(
        lambda dim: ToGrid(dim, maps[0], chain.base, bias=plain), blocks, latent_dim, classes, embedded=not by_norm
    )


def discriminator(settings: SkipDiscriminator, channels: int, chain: Chain, classes: int = 0) -> Discriminator:
    """A halving for each resolution down to the base grid, then a linear layer."""
    maps = feature_maps(settings.width, chain.doublings, MOST)
    first = first_image_doublings(chain)
    blocks = []
    for halvings, (before, after) in enumerate(zip([None, *maps[:-1]], maps, strict=True)):
        seen = chain.doublings - halvings >= first
        blocks.append(Down(channels if seen else None, before, after, settings, added=seen and before is not None))
    head = Head(maps[-1], chain.base, classes, settings.minibatch)
    return GrowingDiscriminator(blocks, head, chain.base[0] * 2**chain.doublings, classes)
