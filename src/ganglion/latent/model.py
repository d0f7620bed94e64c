"""A trained generator, ready for use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganglion.data.pixels import to_uint8
from ganglion.networks.build import build_generator
from ganglion.networks.latents import draw_latents
from ganglion.networks.sampling import generate, generate_chunks
from ganglion.recipe.schema import Recipe
from ganglion.streams import Purpose, stream
from ganglion.training.checkpoint import load_generator
from ganglion.training.run import Run

__all__ = ["Model", "load"]


class Model:
    """The averaged G of one checkpoint, in eval mode and float32."""

    def __init__(self, recipe: Recipe, generator: nn.Module, checkpoint: Path) -> None:
        self.recipe = recipe
        self.generator = generator.eval().requires_grad_(False)
        self.checkpoint = checkpoint

    @property
    def device(self) -> torch.device:
        return next(self.generator.parameters()).device

    def latents(self, n: int, seed: int = 0) -> Tensor:
        """n latents as float32 (n, Z) on the model's device; the first k of n are those of `latents(k, seed)`."""
        if n < 1:
            raise ValueError(f"at least one latent is drawn; got n={n}")
        return draw_latents(self.recipe.latent, n, stream(seed, Purpose.SAMPLE)).to(self.device)

    def generate(self, z: Tensor) -> Tensor:
        """z (N, Z) to float images (N, C, H, W) in [-1, 1]. Each image depends on its own latent alone."""
        return generate(self.generator, z.to(self.device, torch.float32))

    def sample(self, n: int, seed: int = 0) -> NDArray[np.uint8]:
        """n images as uint8 (n, H, W, C); equal on every call with this seed; beside them memory is flat."""
        z = self.latents(n, seed)
        (height, width), channels = self.recipe.data.size or (0, 0), self.recipe.data.channels or 0
        images = np.empty((n, height, width, channels), np.uint8)
        done = 0
        for chunk in generate_chunks(self.generator, z):
            images[done : done + len(chunk)] = to_uint8(chunk).cpu().numpy()
            done += len(chunk)
        return images


def load(run: str | Path | Run, checkpoint: str | int = "best", device: str | torch.device = "cpu") -> Model:
    """The generator of a run. `checkpoint` is best, latest or a step. Raises RunError, CheckpointError.

    Nothing is unpickled: a run folder from a stranger cannot run code.
    """
    folder = run if isinstance(run, Run) else Run(run)
    recipe, found = folder.recipe, folder.checkpoint(checkpoint)
    generator = build_generator(recipe)
    load_generator(found, generator)
    return Model(recipe, generator.to(device), found)
