"""The earth mover's distance estimated by a separate critic, trained on one part of the images and evaluated on another.

Arjovsky et al. 2017, "Wasserstein GAN", arXiv 1701.07875, equation 2, with the gradient penalty of Gulrajani et al. 2017,
arXiv 1704.00028, equation 3. During training the critic's estimate lags behind G; here G is fixed.
N images, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganglion.data.batches import order
from ganglion.data.pixels import to_float
from ganglion.metrics.features import ImageSet
from ganglion.networks.build import build_discriminator
from ganglion.objectives.penalties import slopes_between
from ganglion.recipe.resolve import resolve
from ganglion.recipe.size import size_text

__all__ = ["EarthMover", "earth_mover", "fresh_critic"]


STEPS, BATCH = 400, 64
PENALTY = 10.0
WIDTH = 24
LEARNING_RATE = 1e-3
CHUNK = 250

Images = NDArray[np.uint8]


class EarthMover(NamedTuple):
    """In units of root mean square pixel differences on [-1, 1]; too low where the critic learns little."""

    value: float
    """On held-out images, divided by the critic's slope between them."""
    trained: float
    """The same on its training images; far above `value`, the critic has overfitted."""
    slope: float
    """Mean norm of the critic's gradient between held-out pairs; 1 for a perfect critic."""


def fresh_critic(height: int, width: int, channels: int) -> nn.Module:
    """A convolutional critic without normalisation, (N, C, H, W) to (N,), with fixed initial weights.

    Raises RecipeError for a size that doublings do not reach.
    """
    return build_discriminator(
        resolve("wgan-gp", {
            "generator.family": "dcgan", "discriminator.family": "dcgan", "discriminator.norm": "none",
            "discriminator.width": WIDTH, "init.scheme": "kaiming", "data.size": size_text((height, width)),
            "data.channels": channels,
        })
    )  # fmt: skip


def earth_mover(
    critic: nn.Module,
    real: ImageSet | Images,
    fake: ImageSet | Images,
    random: np.random.Generator,
    progress: Callable[[int, int], None] = lambda done, total: None,
    steps: int = STEPS,
    learning_rate: float = LEARNING_RATE,
) -> EarthMover:
    """Trains `critic`, float (N, C, H, W) to (N,), on a random half of each set (N, H, W, C); evaluates on the other.

    The critic is modified. It must not normalise over a batch: the penalty is defined on single images.
    """
    device = next(critic.parameters()).device
    (real_seen, real_held), (fake_seen, fake_held) = (
        np.array_split(random.permutation(len(x)), 2) for x in (real, fake)
    )
    optimizer = torch.optim.Adam(critic.parameters(), learning_rate, (0.0, 0.9))
    mixing = torch.Generator(device).manual_seed(0)
    critic.train()
    for step in range(steps):
        reals, fakes = (
            _batch(images, seen[order(len(seen), seed, step * BATCH, BATCH)], device)
            for seed, images, seen in ((0, real, real_seen), (1, fake, fake_seen))
        )
        slopes = slopes_between(critic, reals, fakes, mixing)
        loss = critic(fakes).mean() - critic(reals).mean() + PENALTY * (slopes - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress(step + 1, steps)
    critic.eval()
    pairs = min(len(real_held), len(fake_held), CHUNK)
    reals, fakes = _batch(real, real_held[:pairs], device), _batch(fake, fake_held[:pairs], device)
    slope = float(slopes_between(critic, reals, fakes, mixing).mean().detach())
    apart = [
        _mean(critic, real, of_real) - _mean(critic, fake, of_fake)
        for of_real, of_fake in ((real_held, fake_held), (real_seen, fake_seen))
    ]
    scale = max(slope, 1e-12) * reals[0].numel() ** 0.5
    return EarthMover(apart[0] / scale, apart[1] / scale, slope)


def _mean(critic: nn.Module, images: ImageSet | Images, chosen: NDArray[np.int64]) -> float:
    device = next(critic.parameters()).device
    with torch.no_grad():
        values = [
            critic(_batch(images, chosen[first : first + CHUNK], device)).double()
            for first in range(0, len(chosen), CHUNK)
        ]
    return float(torch.cat(values).mean())


def _batch(images: ImageSet | Images, chosen: NDArray[np.int64], device: torch.device) -> Tensor:
    return to_float(torch.from_numpy(np.asarray(images[chosen])).to(device)).contiguous()
