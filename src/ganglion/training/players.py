"""The two players: networks, average and optimisers, and where in the run they stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganglion.networks.build import build_discriminator, build_generator
from ganglion.recipe.schema import Adam, Recipe
from ganglion.training.ema import ema_of

__all__ = ["Players", "Position", "build_players", "frozen"]


SCORE_NOISE = 1.03  # along the plateau of a good run, the distance of 256 images deviates by just under 1 %


@dataclass(frozen=True)
class Players:
    """Everything whose tensors a checkpoint keeps."""

    generator: nn.Module
    discriminator: nn.Module
    ema: nn.Module
    optimizer_g: Optimizer
    optimizer_d: Optimizer

    def networks(self) -> dict[str, nn.Module]:
        """By the name that their file has in a checkpoint."""
        return {"generator": self.generator, "ema": self.ema, "discriminator": self.discriminator}

    def optimizers(self) -> dict[str, Optimizer]:
        return {"generator": self.optimizer_g, "discriminator": self.optimizer_d}

    def state(self) -> Iterator[tuple[str, Tensor]]:
        """Every weight and statistic of the networks, by name."""
        for name, network in self.networks().items():
            for key, tensor in network.state_dict().items():
                yield f"{name}.{key}", tensor


@dataclass
class Position:
    """Where a run stands: everything beside tensors that it needs to go on exactly."""

    step: int = 0
    images: int = 0
    """Real images shown to D."""
    seconds: float = 0.0
    """Time spent training, over all sessions."""
    best_step: int | None = None
    best_score: float | None = None
    """The smallest distance to the data so far."""

    def keep_best(self, score: float) -> None:
        """Makes this step the best one, unless an earlier score was better by more than its noise.

        Once G is good, scores differ by the chance of which images are compared, and the newest weights are preferred.
        """
        lowest = score if self.best_score is None else min(score, self.best_score)
        if score <= lowest * SCORE_NOISE:
            self.best_step = self.step
        self.best_score = lowest


def build_players(recipe: Recipe, device: torch.device) -> Players:
    generator = build_generator(recipe).to(device)
    discriminator = build_discriminator(recipe).to(device)
    return Players(
        generator,
        discriminator,
        ema_of(generator),
        _optimizer(generator, recipe.optimizer.generator),
        _optimizer(discriminator, recipe.optimizer.discriminator),
    )


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """While it lasts, gradients flow through `network`, but none is computed for its weights."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def _optimizer(network: nn.Module, settings: Adam) -> Optimizer:
    return torch.optim.Adam(
        network.parameters(), settings.lr, (settings.beta1, settings.beta2), settings.eps, fused=True
    )  # fused: one pass over all weights, on CPU and GPU
