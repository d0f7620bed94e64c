"""Training loops written plainly, as tutorials and papers' scripts have them, to be compared with.

float32, contiguous memory, PyTorch's default Adam, D's weights not frozen in the G phase, each penalty with a forward pass of
its own, every loss read at every step. The networks are those of the recipe that a loop stands beside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganglion.networks.build import build_discriminator, build_generator
from ganglion.recipe.parts import Adam
from ganglion.recipe.schema import Recipe

__all__ = ["PLAIN", "Plain", "plain_step", "tutorial_step"]


class Plain(NamedTuple):
    """Networks and optimisers of a plain loop."""

    recipe: Recipe
    G: nn.Module
    D: nn.Module
    optimizer_g: torch.optim.Optimizer
    optimizer_d: torch.optim.Optimizer

    @classmethod
    def of(cls, recipe: Recipe, device: str = "cpu") -> Plain:
        G, D = (
            network.to(device, memory_format=torch.contiguous_format)
            for network in (build_generator(recipe), build_discriminator(recipe))
        )
        return cls(recipe, G, D, _adam(G, recipe.optimizer.generator), _adam(D, recipe.optimizer.discriminator))

    def latents(self, real: Tensor) -> Tensor:
        return torch.randn(len(real), self.recipe.latent.dim, device=real.device)


def _adam(network: nn.Module, settings: Any) -> torch.optim.Optimizer:
    assert isinstance(settings, Adam)
    return torch.optim.Adam(network.parameters(), settings.lr, (settings.beta1, settings.beta2))


def dcgan_step(plain: Plain, reals: Iterator[Tensor]) -> int:
    """The public DCGAN tutorials' step; returns the reals that D saw."""
    real = next(reals)
    tutorial_step(plain.G, plain.D, plain.optimizer_g, plain.optimizer_d, real, plain.recipe.latent.dim)
    return len(real)


def tutorial_step(
    G: nn.Module, D: nn.Module, optimizer_g: torch.optim.Optimizer, optimizer_d: torch.optim.Optimizer, real: Tensor,
    latent: int = 100,
) -> tuple[float, float]:  # fmt: skip
    criterion, n = nn.BCEWithLogitsLoss(), len(real)
    D.zero_grad()
    loss_real = criterion(D(real), torch.ones(n, device=real.device))
    loss_real.backward()
    fake = G(torch.randn(n, latent, device=real.device))
    loss_fake = criterion(D(fake.detach()), torch.zeros(n, device=real.device))
    loss_fake.backward()
    optimizer_d.step()
    G.zero_grad()
    loss_g = criterion(D(fake), torch.ones(n, device=real.device))
    loss_g.backward()
    optimizer_g.step()
    return (loss_real + loss_fake).item(), loss_g.item()


def wgan_gp_step(plain: Plain, reals: Iterator[Tensor]) -> int:
    """Algorithm 1 of Gulrajani et al. 2017: critic steps with the gradient penalty, then one of G."""
    G, D, seen = plain.G, plain.D, 0
    for _ in range(plain.recipe.balance.d_steps):
        real = next(reals)
        fake = G(plain.latents(real)).detach()
        share = torch.rand(len(real), 1, 1, 1, device=real.device)
        between = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(D(between).sum(), between, create_graph=True)
        penalty = 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
        loss_d = D(fake).mean() - D(real).mean() + penalty
        plain.optimizer_d.zero_grad()
        loss_d.backward()
        plain.optimizer_d.step()
        loss_d.item()
        seen += len(real)
    loss_g = -D(G(plain.latents(real))).mean()
    plain.optimizer_g.zero_grad()
    loss_g.backward()
    plain.optimizer_g.step()
    loss_g.item()
    return seen


def r3gan_step(plain: Plain, reals: Iterator[Tensor]) -> int:
    """Relativistic pairs with R1 and R2 at every update, Huang et al. 2025, equation 2 and section 2."""
    G, D, real = plain.G, plain.D, next(reals)
    fake = G(plain.latents(real)).detach()
    loss_d = softplus(D(fake) - D(real)).mean() + (_squared_slope(D, real) + _squared_slope(D, fake)) / 2
    plain.optimizer_d.zero_grad()
    loss_d.backward()
    plain.optimizer_d.step()
    loss_d.item()
    loss_g = softplus(D(real) - D(G(plain.latents(real)))).mean()
    plain.optimizer_g.zero_grad()
    loss_g.backward()
    plain.optimizer_g.step()
    loss_g.item()
    return len(real)


def _squared_slope(D: nn.Module, images: Tensor) -> Tensor:
    images = images.detach().requires_grad_()
    (slope,) = torch.autograd.grad(D(images).sum(), images, create_graph=True)
    return slope.flatten(1).square().sum(1).mean()


PLAIN: dict[str, Callable[[Plain, Iterator[Tensor]], int]] = {
    "dcgan": dcgan_step,
    "fast": dcgan_step,
    "wgan-gp": wgan_gp_step,
    "r3gan": r3gan_step,
}
"""By recipe. Beside `fast`, which is ours alone, stands the tutorial's step with fast's networks."""


def plain_step(recipe: Recipe) -> Callable[[Iterator[Tensor]], int]:
    """A function that takes a step on batches of reals and returns how many D saw."""
    plain, step = Plain.of(recipe), PLAIN[recipe.name]
    return lambda reals: step(plain, reals)
