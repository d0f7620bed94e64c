"""Walks: one latent is moved along one dimension, or one direction, and everything else stays. Z dimensions, T steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.latent.model import Model

__all__ = ["RANGES", "influence", "walk_along", "walk_dimensions"]

RANGES = {"normal": (-3.0, 3.0), "uniform": (-1.0, 1.0), "sphere": (-3.0, 3.0)}
"""What a coordinate goes through where nothing else is asked for: nearly all that the prior has."""

STEP = 0.5  # in units of the prior's standard deviation, each way, when influence is measured


def walk_dimensions(z: Tensor, dims: Sequence[int], low: float, high: float, steps: int) -> Tensor:
    """(D, T, Z): for each of D dimensions, the latent z (Z,) with that coordinate at T values from low to high.

    Raises ValueError for a dimension that z does not have.
    """
    wrong = [dim for dim in dims if not 0 <= dim < len(z)]
    if wrong:
        raise ValueError(f"z has the dimensions 0 to {len(z) - 1}; there is no {wrong[0]}")
    rows = z.repeat(len(dims), steps, 1)  # (D, T, Z)
    for row, dim in zip(rows, dims, strict=True):
        row[:, dim] = torch.linspace(low, high, steps, device=z.device)
    return rows


def walk_along(z: Tensor, directions: Tensor, low: float, high: float, steps: int) -> Tensor:
    """(D, T, Z): z (Z,) plus T multiples, from low to high, of each of the directions (D, Z)."""
    strengths = torch.linspace(low, high, steps, device=z.device)
    return z + strengths[None, :, None] * directions[:, None, :].to(z.device)


def influence(
    model: Model,
    seed: int = 0,
    bases: int = 8,
    labels: Tensor | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[np.float64]:
    """How much each dimension changes the image: (Z,), root mean square of the change over a step of half a standard
    deviation each way, mean over `bases` latents, in units of pixels on [-1, 1].

    `labels` (1,) is the class for a conditional model; without it the classes are drawn.
    """
    deviation = {"normal": 1.0, "sphere": 1.0, "uniform": 1 / 3**0.5}[model.latent.prior]
    z = model.latents(bases, seed)
    labels = model.labels(bases, seed) if labels is None else labels
    found = np.zeros(model.latent.dim)
    for dim in range(model.latent.dim):
        moved = [z.clone() for _ in range(2)]
        for copy, sign in zip(moved, (-1, 1), strict=True):
            copy[:, dim] += sign * STEP * deviation
        less, more = (model.generate(copy, labels) for copy in moved)
        found[dim] = float((more - less).square().mean((1, 2, 3)).sqrt().mean())
        progress(dim + 1, model.latent.dim)
    return found
