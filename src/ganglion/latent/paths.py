"""Ways from latent to latent. N latents, Z dimensions, T frames."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ganglion.recipe.schema import Prior

__all__ = ["path_through", "spherical", "straight"]

PARALLEL = 1e-4  # of a right angle: below, the arc is a line


def straight(one: Tensor, other: Tensor, share: float) -> Tensor:
    """The point (Z,) at `share` of the line from one to the other."""
    return torch.lerp(one, other, share)


def spherical(one: Tensor, other: Tensor, share: float) -> Tensor:
    """The point (Z,) at `share` of the arc from one to the other, its length going evenly from one's to the other's.

    Under a normal prior nearly all latents have a length near sqrt(Z); a straight line between two of them passes through
    shorter ones that training has hardly seen. Shoemake 1985; in a GAN, White 2016, arXiv 1609.04468, section 2.1.
    """
    lengths = one.norm(), other.norm()
    if not float(lengths[0] * lengths[1]):
        return straight(one, other, share)  # the origin lies in no direction
    directions = [z / length for z, length in zip((one, other), lengths, strict=True)]
    angle = torch.arccos((directions[0] * directions[1]).sum().clamp(-1, 1))
    if float(angle) < PARALLEL or float(angle) > np.pi - PARALLEL:
        return straight(one, other, share)
    weights = torch.sin((1 - share) * angle), torch.sin(share * angle)
    direction: Tensor = (weights[0] * directions[0] + weights[1] * directions[1]) / torch.sin(angle)
    return direction * torch.lerp(lengths[0], lengths[1], share)


WAYS = {"normal": spherical, "sphere": spherical, "uniform": straight}


def path_through(latents: Tensor, frames: int, prior: Prior, loop: bool = False) -> Tensor:
    """(T, Z): from each of `latents` (N, Z) to the next, `frames` frames a piece, and the last one; with `loop` back to the
    first, whose repetition is left out. Each latent itself is a frame, exactly. Raises ValueError for fewer than two.
    """
    if len(latents) < 2:
        raise ValueError("a way needs at least two latents")
    if frames < 1:
        raise ValueError(f"a way has at least one frame a piece; got {frames}")
    stops = [*latents, latents[0]] if loop else list(latents)
    way = WAYS[prior]
    found = []
    for one, other in pairwise(stops):
        found += [one, *(way(one, other, i / frames) for i in range(1, frames))]
    return torch.stack(found if loop else [*found, stops[-1]])
