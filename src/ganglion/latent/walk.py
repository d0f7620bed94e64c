"""Paths through latent space: from latent to latent, along one dimension, or along a direction.

N latents, Z dimensions, T frames or steps, D dimensions or directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.latent.model import Model, for_each
from ganglion.recipe.schema import Prior

__all__ = ["RANGES", "influence", "linear", "path_through", "spherical", "walk_along", "walk_dimensions"]


PARALLEL = 1e-4  # of a right angle: below, the arc is a line


def linear(one: Tensor, other: Tensor, share: float) -> Tensor:
    """The point (Z,) at `share` of the line from one to the other."""
    return torch.lerp(one, other, share)


def spherical(one: Tensor, other: Tensor, share: float) -> Tensor:
    """The point (Z,) at `share` of the arc from one to the other, with linearly interpolated norm.

    Under a normal prior nearly all latents have a norm near sqrt(Z); a straight line between two of them passes through
    smaller norms, which are rare in training. Shoemake 1985; in a GAN, White 2016, arXiv 1609.04468, section 2.1.
    """
    lengths = one.norm(), other.norm()
    if not float(lengths[0] * lengths[1]):
        return linear(one, other, share)  # the origin has no direction
    directions = [z / length for z, length in zip((one, other), lengths, strict=True)]
    angle = torch.arccos((directions[0] * directions[1]).sum().clamp(-1, 1))
    if float(angle) < PARALLEL or float(angle) > np.pi - PARALLEL:
        return linear(one, other, share)
    weights = torch.sin((1 - share) * angle), torch.sin(share * angle)
    direction: Tensor = (weights[0] * directions[0] + weights[1] * directions[1]) / torch.sin(angle)
    return direction * torch.lerp(lengths[0], lengths[1], share)


INTERPOLATIONS = {"normal": spherical, "sphere": spherical, "uniform": linear}


def path_through(latents: Tensor, frames: int, prior: Prior, loop: bool = False) -> Tensor:
    """(T, Z): from each of `latents` (N, Z) to the next in `frames` frames, and the last one; with `loop` back to the first,
    without repeating it. Each latent itself is a frame, exactly. Raises ValueError for fewer than two.
    """
    if len(latents) < 2:
        raise ValueError("interpolation needs at least two latents")
    if frames < 1:
        raise ValueError(f"interpolation needs at least one frame per pair; got {frames}")
    stops = [*latents, latents[0]] if loop else list(latents)
    interpolate = INTERPOLATIONS[prior]
    path = []
    for one, other in pairwise(stops):
        path += [one, *(interpolate(one, other, i / frames) for i in range(1, frames))]
    return torch.stack(path if loop else [*path, stops[-1]])


RANGES = {"normal": (-3.0, 3.0), "uniform": (-1.0, 1.0), "sphere": (-3.0, 3.0)}
"""Default range of a coordinate: nearly all of the prior."""

MOST_IMAGES = 64  # drawn at once while influence is measured
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
    """Change of the image per dimension: (Z,), root mean square of the change between half a standard deviation below and
    above, mean over `bases` latents, for pixels on [-1, 1].

    `labels` (1,) is the class for a conditional model; by default classes are random.
    """
    move = STEP * {"normal": 1.0, "sphere": 1.0, "uniform": 1 / 3**0.5}[model.latent.prior]
    z = model.latents(bases, seed)
    labels = model.labels(bases, seed) if labels is None else for_each(labels, bases)
    at_once = max(1, MOST_IMAGES // bases)
    found = np.zeros(model.latent.dim)
    for first in range(0, model.latent.dim, at_once):
        dims = range(first, min(first + at_once, model.latent.dim))
        less, more = (_moved(model, z, dims, sign * move, labels) for sign in (-1, 1))
        changes = (more - less).square().mean((2, 3, 4)).sqrt().mean(1)  # (D, B, C, H, W) to (D,)
        found[dims.start : dims.stop] = changes.tolist()
        progress(dims.stop, model.latent.dim)
    return found


def _moved(model: Model, z: Tensor, dims: range, by: float, labels: Tensor | None) -> Tensor:
    """Images (D, B, C, H, W) of the latents z (B, Z), for each of the dimensions moved along it."""
    moved = z.repeat(len(dims), 1, 1)  # (D, B, Z)
    for row, dim in enumerate(dims):
        moved[row, :, dim] += by
    images = model.generate(moved.flatten(0, 1), None if labels is None else torch.cat([labels] * len(dims)))
    return images.view(*moved.shape[:2], *images.shape[1:])
