"""The energy distance between two sets of points, unbiased for few of them. Székely and Rizzo 2013."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["energy_distance", "mean_distance"]


def mean_distance(a: Tensor) -> float:
    """E|a - a'| over pairs of different rows of (N, A)."""
    return float(torch.cdist(a, a).sum() / (len(a) * (len(a) - 1)))


def energy_distance(a: Tensor, b: Tensor) -> float:
    """2 E|a - b| - E|a - a'| - E|b - b'| of rows (N, A) and (M, A), over pairs of different rows."""
    return 2 * float(torch.cdist(a, b).mean()) - mean_distance(a) - mean_distance(b)
