"""Latents near a given one, as likely under the prior as it is. N latents, Z dimensions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganglion.latent.model import Model
from ganglion.networks.sampling import draw_latents
from ganglion.recipe.schema import Prior
from ganglion.streams import Purpose, stream

__all__ = ["inside", "nearby"]


def nearby(model: Model, z: Tensor, n: int, distance: float, seed: int = 0) -> Tensor:
    """n latents (n, Z) around z (Z,). A `distance` of 0 gives z itself, 1 independent draws of the prior.

    Under a normal prior z has the weight sqrt(1 - distance^2) and the draw the weight `distance`, so that the sum of two
    normal latents is normal again; on the sphere the sum is brought back to it. Under a uniform prior both are averaged,
    which keeps within [-1, 1]. Raises ValueError for a distance outside [0, 1].
    """
    if not 0 <= distance <= 1:
        raise ValueError(f"distance is from 0 to 1; got {distance}")
    drawn = draw_latents(model.latent, n, stream(seed, Purpose.NEARBY)).to(z.device)  # (n, Z)
    kept = 1 - distance if model.latent.prior == "uniform" else math.sqrt(1 - distance**2)
    return inside(kept * z + distance * drawn, model.latent.prior)


def inside(z: Tensor, prior: Prior, scale: float = 1.0) -> Tensor:
    """Latents (N, Z), or one (Z,), brought to where the prior has any: the cube [-1, 1], or the sphere of radius sqrt(Z)
    times `scale`, the truncation. Under a normal prior, which has some everywhere, as they are."""
    if prior == "uniform":
        return z.clamp(-1, 1)
    if prior == "sphere":
        length = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
        return torch.where(length > 0, z * (scale * math.sqrt(z.shape[-1]) / length.clamp_min(1e-12)), z)
    return z
