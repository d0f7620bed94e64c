"""What could be used in the doctor's place on the networks themselves: an estimate of the duality gap.

For the value V(G, D) = E log D(x) + E log(1 - D(G(z))), V(G, D') - V(G', D), where D' is D after a few steps up V against G as
it is, and G' is G after a few steps down V against D as it is (Grnarova et al. 2019, NeurIPS, arXiv 1811.05512): 0 where
neither can gain. Found on one half of the images, measured on the other, with the logistic value whatever the run's own loss.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

import ganglion
from ganglion.latent.model import discriminator_of
from population.setting import Change, Images, Players

__all__ = ["duality_gap", "gap_of_loop", "gap_of_recipe"]

STEPS, BATCH, RATE, MEASURED = 100, 32, 5e-4, 500
LATENTS = {"tutorial": 100, "least-squares": 100}
"""Dimensions of z of the loops that have no 64."""
TWO_INPUTS = ("conditional", "image-to-image")
"""Loops whose D is given more than an image: not measured."""

Logits = Callable[[nn.Module, Tensor], Tensor]
Draw = Callable[[nn.Module, int], Tensor]


def duality_gap(G: nn.Module, D: nn.Module, draw: Draw, logits: Logits, images: Tensor) -> float:
    """Of images float (N, C, S, S) in [-1, 1]: at least 0 in expectation; NaN where the value overflows."""
    found, measured = images[::2], images[1::2][:MEASURED]

    def value(g: nn.Module, d: nn.Module, reals: Tensor) -> Tensor:
        return logsigmoid(logits(d, reals)).mean() + logsigmoid(-logits(d, draw(g, len(reals)))).mean()

    def moved(player: nn.Module, sign: float, of: Callable[[nn.Module, Tensor], Tensor]) -> nn.Module:
        best = copy.deepcopy(player).train().requires_grad_(True)
        optimizer = torch.optim.Adam(best.parameters(), RATE, betas=(0.5, 0.999))
        for _ in range(STEPS):
            batch = found[torch.randint(len(found), (BATCH,))]
            optimizer.zero_grad()
            (sign * of(best, batch)).backward()
            optimizer.step()
        return best

    torch.manual_seed(0)
    worst_d = moved(D, -1.0, lambda d, x: value(G, d, x))
    worst_g = moved(G, 1.0, lambda g, x: value(g, D, x))
    with torch.no_grad():
        return float(value(G, worst_d, measured) - value(worst_g, D, measured))


def gap_of_recipe(run: Path, images: Images) -> float | None:
    """Of the newest checkpoint; None where there is none."""
    if not ganglion.Run(run).steps_saved():
        return None
    model = ganglion.load(run, checkpoint="latest")
    D = discriminator_of(model)
    assert D is not None
    draw: Draw = lambda g, n: g(model.latents(n, seed=int(torch.randint(2**31, ()))), model.labels(n))  # noqa: E731
    return duality_gap(model.generator, D, draw, lambda d, x: d(x, None).flatten(), some(images))


def gap_of_loop(name: str, change: Change, players: Players, images: Images) -> float | None:
    """None where D is given more than an image."""
    if name in TWO_INPUTS:
        return None
    dim, flat = change.z_dim or LATENTS.get(name, 64), name in ("least-squares", "fully-connected")

    def draw(g: nn.Module, n: int) -> Tensor:
        z = change.z(torch.randn(n, dim))
        out: Tensor = g(z if flat else z[:, :, None, None])
        return out

    sigmoid = any(isinstance(layer, nn.Sigmoid) for layer in players.D.modules())

    def logits(d: nn.Module, x: Tensor) -> Tensor:
        out: Tensor = d(x).flatten()
        return torch.logit(out, eps=1e-6) if sigmoid else out

    return duality_gap(players.G, players.D, draw, logits, some(images))


def some(images: Images) -> Tensor:
    """Float images in [-1, 1], the same for all runs."""
    chosen = torch.randperm(len(images.pixels), generator=torch.Generator().manual_seed(5))[: 4 * MEASURED]
    return images.pixels[chosen].float() / 127.5 - 1
