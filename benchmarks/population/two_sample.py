"""What could be used in the doctor's place on samples and images alone: two-sample tests.

The accuracy of a 1-nearest-neighbour classifier between samples and images, leaving one out (Lopez-Paz and Oquab 2017, arXiv
1610.06545): 0.5 where they are alike, 1 where they are apart, below 0.5 for copies. And the maximum mean discrepancy with a
Gaussian kernel of the median distance (Gretton et al. 2012), unbiased. Both on pixels at 16x16, as a user would compute them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from population.setting import Images

__all__ = ["discrepancy", "neighbour_accuracy", "pixels_of", "reals_of"]

SIDE, MOST = 16, 400


def pixels_of(images: Tensor) -> Tensor:
    """uint8 (N, C, S, S) as rows (N, A) in [-1, 1], at 16x16."""
    small = interpolate(images[:MOST].float() / 127.5 - 1, (SIDE, SIDE), mode="area")
    return small.flatten(1).double()


def reals_of(data: Images) -> Tensor:
    """The same 400 images for all runs."""
    chosen = torch.randperm(len(data.pixels), generator=torch.Generator().manual_seed(3))[:MOST]
    return pixels_of(data.pixels[chosen])


def neighbour_accuracy(samples: Tensor, reals: Tensor) -> float:
    """Of rows (N, A) and (M, A)."""
    count = min(len(samples), len(reals))
    both = torch.cat([samples[:count], reals[:count]])
    distances = torch.cdist(both, both).fill_diagonal_(torch.inf)
    is_sample = torch.arange(2 * count) < count
    return float((is_sample[distances.argmin(1)] == is_sample).double().mean())


def discrepancy(samples: Tensor, reals: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy; 0 where they are alike."""
    width = float(torch.pdist(reals).median())

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (-torch.cdist(a, b).square() / (2 * width**2)).exp()

    def within(a: Tensor) -> float:
        return float((kernel(a, a).sum() - len(a)) / (len(a) * (len(a) - 1)))

    return within(samples) + within(reals) - 2 * float(kernel(samples, reals).mean())
