"""Layers that the families share, chosen by the recipe's words: activations, normalisations, minibatch statistics.

N images, C feature maps, H height, W width, A features of an image, R reference images, B kernels, K dimensions of a kernel."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganglion.recipe.networks import Activation, MinibatchName, Norm

__all__ = [
    "ACTIVATIONS",
    "MINIBATCH",
    "NORMS",
    "REFERENCE",
    "MinibatchDiscrimination",
    "MinibatchStddev",
    "Normalise",
    "ToGrid",
    "VirtualBatchNorm2d",
    "activation",
    "embed",
    "feature_maps",
    "full_precision",
    "widened",
]


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


def embed(table: nn.Embedding, labels: Tensor | None) -> Tensor:
    """Rows (N, E) of a table (K, E) for classes int64 (N,), or its product with condition vectors (N, K)."""
    assert labels is not None
    rows: Tensor = labels @ table.weight if labels.is_floating_point() else table(labels)
    return rows


class ToGrid(nn.Module):
    """A vector (N, Z) as a base grid of feature maps (N, C, H, W): a linear layer, laid out channels-last."""

    def __init__(self, dim: int, maps: int, grid: tuple[int, int], bias: bool) -> None:
        super().__init__()
        self.shape = (*grid, maps)
        self.linear = nn.Linear(dim, maps * grid[0] * grid[1], bias=bias)

    def forward(self, z: Tensor) -> Tensor:
        grid: Tensor = self.linear(z)
        return grid.view(-1, *self.shape).permute(0, 3, 1, 2)  # (N, C, H, W), channels-last in memory


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
    """A normalisation; for `classes` > 0 its scale and shift are those of each image's class, or linear in its vector.

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
        if labels.is_floating_point():  # a class would be a vector with one 1, and have the same scale
            scale, shift = 1 + labels @ (self.scale - 1), labels @ self.shift
        else:
            scale, shift = self.scale[labels], self.shift[labels]
        return out * scale[..., None, None] + shift[..., None, None]  # (N, C, 1, 1)


KERNELS, DIMENSIONS = 50, 5  # the paper leaves them open; its authors' code has 100 kernels of 5 dimensions
GROUP = 4  # images, as in the paper: statistics of few images are easier to match than those of a whole batch


class MinibatchDiscrimination(nn.Module):
    """Features (N, A) to their likeness to the rest of the batch (N, B). Salimans et al. 2016, section 3.2.

    o_b(i) = sum over j other than i of exp(-|M_b(i) - M_b(j)|_1) with M = features times a learned tensor. In [0, N-1].
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.out = KERNELS
        self.project = nn.Linear(features, KERNELS * DIMENSIONS, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        with full_precision(features):
            m = self.project(widened(features)).view(-1, KERNELS, DIMENSIONS)  # (N, B, K)
            apart = (m[:, None] - self.others(m)[None]).abs().sum(3)  # (N, N, B)
            return torch.exp(-apart).sum(1) - 1  # (N, B), without the image itself

    def others(self, m: Tensor) -> Tensor:
        """The images (N, B, K) that each one is compared with, itself among them."""
        return m


class MinibatchStddev(nn.Module):
    """Features (N, A) to the mean standard deviation in their group of 4 (N, 1).

    Karras et al. 2018, arXiv 1710.10196, section 3. The group of image i is
    {i, i + N/4, ...}; a batch that 4 does not divide is one group.
    """

    out = 1

    def forward(self, features: Tensor) -> Tensor:
        n = len(features)
        size = GROUP if n % GROUP == 0 else n
        groups = widened(features).view(size, n // size, -1)  # (group, N/group, A)
        deviation = (groups.var(0, correction=0) + 1e-8).sqrt().mean(1)  # (N/group,)
        return deviation.repeat(size)[:, None]  # (N, 1)


MINIBATCH: dict[MinibatchName, Callable[[int], MinibatchDiscrimination | MinibatchStddev] | None] = {
    "none": None,
    "discrimination": MinibatchDiscrimination,
    "stddev": lambda features: MinibatchStddev(),
}
"""By the recipe's word: number of features to the module, whose `out` is how many numbers it adds to them."""
