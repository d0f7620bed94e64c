"""What G's loss holds beside the adversarial part, and the one term that both players share.

N images, A features of an image.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

__all__ = ["feature_matching", "historical_averaging", "ramp"]


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    """|E f(x) - E f(G(z))|^2 over features (N, A). Salimans et al. 2016, arXiv 1606.03498, section 3.1. In [0, inf)."""
    return (real.mean(0) - fake.mean(0)).square().sum()


def historical_averaging(weights: Iterable[Tensor], means: Iterable[Tensor]) -> Tensor:
    """|w - mean of w over all past steps|^2. Salimans et al. 2016, section 3.3. In [0, inf)."""
    return torch.stack([(now - mean).square().sum() for now, mean in zip(weights, means, strict=True)]).sum()


def ramp(images: int, ramp_kimg: float) -> float:
    """How much of a weight holds after `images` images: rises from 0 to 1 over `ramp_kimg` thousand; 1 without a ramp."""
    return min(1.0, images / (1000 * ramp_kimg)) if ramp_kimg else 1.0
