"""Random numbers of the training steps, drawn on the device where they are used.

Each draw is a function of (seed, purpose, position): a generator is seeded anew for it, on the host and without waiting for
the device. On a CUDA device one generator serves all steps, and a CUDA graph that is registered with it reads its seed at
each replay, so that a replayed step draws what the same step draws without a graph.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganglion.networks.sampling import draw_latents, draw_latents_on
from ganglion.platform.devices import computes_from_tensors
from ganglion.platform.random_numbers import ShareGenerator
from ganglion.recipe.schema import Recipe
from ganglion.streams import Purpose, stream

__all__ = ["Draws"]


class Draws:
    """Of process `rank` of `count`, whose share of a batch is every `count`-th image.

    `globally`: layers of one's own draw from PyTorch's own generators, also seeded here, in each process by another number.
    """

    def __init__(
        self, recipe: Recipe, device: torch.device, rank: int = 0, count: int = 1, globally: bool = False
    ) -> None:
        self._latent, self._batch, self._seed = recipe.latent, recipe.training.batch, recipe.training.seed
        self._device, self._rank, self._count, self._globally = device, rank, count, globally
        self._on_device = computes_from_tensors(device)
        self.renew()

    def renew(self) -> None:
        """Replaces the generators; where the capture of a CUDA graph fails, they are left in a state that allows no draw."""
        self.random = ShareGenerator(self._device, self._rank, self._count)
        self._of_latents = torch.Generator(self._device) if self._on_device else None

    def step(self, step: int) -> torch.Generator:
        """The generator of what a step draws in passing: augmentation, noise, points between images.

        An image's numbers do not depend on the number of processes.
        """
        first, *others = stream(self._seed, Purpose.STEP, step).integers(2**63, size=2 + self._rank).tolist()
        if self._globally:
            torch.manual_seed(others[-1])
        return self.random.manual_seed(first)

    def latents(self, purpose: Purpose, position: int) -> Tensor:
        """Latents of this process's share of a batch (N, Z).

        On the CPU (and for mps) they are NumPy's, on a CUDA device its own: other numbers.
        """
        random, share = stream(self._seed, purpose, position), slice(self._rank, None, self._count)
        if self._of_latents is None:
            return draw_latents(self._latent, self._batch, random)[share].to(self._device, non_blocking=True)
        seeded = self._of_latents.manual_seed(int(random.integers(2**63)))
        return draw_latents_on(self._device, self._latent, self._batch, seeded)[share]
