"""Normalisations of feature maps, plain or with scale and shift by class.

N images, C feature maps, H height, W width, R reference images.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganglion.networks.layers import full_precision, widened
from ganglion.recipe.families import Norm

__all__ = ["NORMS", "REFERENCE", "Normalise", "VirtualBatchNorm2d"]

REFERENCE = 64
"""R, the images of the reference batch of virtual batch normalisation. They stand first in every batch."""

EPSILON = 1e-5


class VirtualBatchNorm2d(nn.Module):
    """Each image is normalised by itself and a fixed reference batch. Salimans et al. 2016, arXiv 1606.03498, section 3.5.

    Of a batch (R + N, C, H, W) the first R are the reference. Mean and mean square are those of R + 1 images, the
    reference and the image itself, so that an image's output does not depend on its neighbours.
    """

    def __init__(self, maps: int, affine: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(maps)) if affine else None
        self.bias = nn.Parameter(torch.zeros(maps)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        with full_precision(x):  # a mean square of bf16 numbers is too coarse
            wide = widened(x)
            mean, square = wide.mean((2, 3), keepdim=True), wide.square().mean((2, 3), keepdim=True)  # (R+N, C, 1, 1)
            mean = (mean[:REFERENCE].mean(0) * REFERENCE + mean) / (REFERENCE + 1)
            square = (square[:REFERENCE].mean(0) * REFERENCE + square) / (REFERENCE + 1)
            out = (wide - mean) * (square - mean.square()).clamp_min(0).add(EPSILON).rsqrt()
            if self.weight is not None and self.bias is not None:
                out = out * self.weight[:, None, None] + self.bias[:, None, None]
        return out.to(x.dtype)


NORMS: dict[Norm, Callable[[int, bool], nn.Module]] = {
    "batch": lambda maps, affine: nn.BatchNorm2d(maps, affine=affine),
    "virtual-batch": VirtualBatchNorm2d,
    "instance": lambda maps, affine: nn.InstanceNorm2d(maps, affine=affine),
    "layer": lambda maps, affine: nn.GroupNorm(1, maps, affine=affine),
    "none": lambda maps, affine: nn.Identity(),
}
"""By the recipe's word: (feature maps, whether it learns a scale and a shift) to the layer."""


class Normalise(nn.Module):
    """A normalisation; for `classes` > 0 its scale and shift are those of each image's class.

    Conditional normalisation, Dumoulin et al. 2017, arXiv 1610.07629; in a GAN, Miyato and Koyama 2018.
    """

    def __init__(self, name: Norm, maps: int, classes: int = 0) -> None:
        super().__init__()
        by_class = classes > 0 and name != "none"
        self.norm = NORMS[name](maps, not by_class)
        self.scale = nn.Parameter(torch.ones(classes, maps)) if by_class else None
        self.shift = nn.Parameter(torch.zeros(classes, maps)) if by_class else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        out: Tensor = self.norm(x)
        if self.scale is None or self.shift is None or labels is None:
            return out
        return out * self.scale[labels][..., None, None] + self.shift[labels][..., None, None]  # (N, C, 1, 1)
