"""What D's last layer is told of the other images in the batch, so that a G of one mode can be seen through.

N images, A features of an image, B kernels, K dimensions of a kernel.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganglion.networks.layers import full_precision, widened
from ganglion.recipe.families import MinibatchName

__all__ = ["MINIBATCH", "MinibatchDiscrimination", "MinibatchStddev"]

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
            apart = (m[:, None] - m[None]).abs().sum(3)  # (N, N, B)
            return torch.exp(-apart).sum(1) - 1  # (N, B), without the image itself


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
