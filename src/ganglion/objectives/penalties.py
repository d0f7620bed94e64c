"""Penalties on D. Each takes (D, real images, fake images), works in float32 and returns a mean over images.

N images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganglion.recipe.schema import Penalty, PenaltyName

__all__ = ["PENALTIES", "due", "penalty_of"]


def r1(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """E[|grad D(x)|^2] over real x: D is kept flat where the data are. Mescheder et al. 2018, arXiv 1801.04406, eq. 9."""
    return _squared_gradient(discriminator, real)


def r2(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """E[|grad D(G(z))|^2] over fakes: D is kept flat where G is. Mescheder et al. 2018, arXiv 1801.04406, eq. 10."""
    return _squared_gradient(discriminator, fake)


PENALTIES: dict[PenaltyName, Callable[[nn.Module, Tensor, Tensor], Tensor]] = {"r1": r1, "r2": r2}


def due(penalties: tuple[Penalty, ...], step: int) -> list[Penalty]:
    """The penalties that are computed at `step`."""
    return [penalty for penalty in penalties if step % penalty.every == 0]


def penalty_of(penalty: Penalty, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """weight/2 times the penalty, times `every`: computed at every k-th step it pulls as hard as at each (Karras 2020).

    Autocast is off: a gradient of a gradient loses too many bits in bf16.
    """
    with torch.autocast(real.device.type, enabled=False):
        value = PENALTIES[penalty.kind](discriminator, real.float(), fake.detach().float())
    return value * (penalty.weight / 2 * penalty.every)


def _squared_gradient(discriminator: nn.Module, images: Tensor) -> Tensor:
    images = images.detach().requires_grad_(True)  # (N, C, H, W)
    (gradient,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()  # sum over C, H, W, mean over N
