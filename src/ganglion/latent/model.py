"""A trained generator, ready for use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganglion.data.pixels import to_uint8
from ganglion.networks.build import build_generator
from ganglion.networks.latents import draw_labels, draw_latents
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

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that can be asked for; none for an unconditional model."""
        return (self.recipe.data.classes or ()) if self.recipe.data.conditional else ()

    def labels(self, n: int, seed: int = 0, label: str | int | None = None) -> Tensor | None:
        """n classes as int64 (n,): all of them `label` (a name or a number), or evenly drawn; None where there are none.

        Raises ValueError for a class that the model does not know.
        """
        if label is not None:
            return torch.full((n,), self._class(label), device=self.device)
        drawn = draw_labels(len(self.classes), n, stream(seed, Purpose.LABEL))
        return None if drawn is None else drawn.to(self.device)

    def generate(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z (N, Z), and labels (N,) for a conditional model, to float images (N, C, H, W) in [-1, 1].

        Each image depends on its own latent and label alone. Without labels, a conditional model draws them with seed 0.
        """
        z = z.to(self.device, torch.float32)
        labels = self.labels(len(z)) if labels is None else labels.to(self.device)
        return generate(self.generator, z, labels)

    def sample(self, n: int, seed: int = 0, label: str | int | None = None) -> NDArray[np.uint8]:
        """n images as uint8 (n, H, W, C), of one class if `label` names it; equal on every call with these arguments.

        Beside the images memory is flat.
        """
        z, labels = self.latents(n, seed), self.labels(n, seed, label)
        (height, width), channels = self.recipe.data.size or (0, 0), self.recipe.data.channels or 0
        images = np.empty((n, height, width, channels), np.uint8)
        done = 0
        for chunk in generate_chunks(self.generator, z, labels):
            images[done : done + len(chunk)] = to_uint8(chunk).cpu().numpy()
            done += len(chunk)
        return images

    def _class(self, label: str | int) -> int:
        if not self.classes:
            raise ValueError(f"this model knows no classes, so none can be asked for; got {label!r}")
        if str(label) in self.classes:
            return self.classes.index(str(label))
        if str(label).isdecimal() and int(label) < len(self.classes):
            return int(label)
        names = ", ".join(self.classes[:20]) + (", ..." if len(self.classes) > 20 else "")
        raise ValueError(f"there is no class {label!r}; classes are {names} (or their numbers from 0)")


def load(run: str | Path | Run, checkpoint: str | int = "best", device: str | torch.device = "cpu") -> Model:
    """The generator of a run. `checkpoint` is best, latest or a step. Raises RunError, CheckpointError.

    Nothing is unpickled: a run folder from a stranger cannot run code.
    """
    folder = run if isinstance(run, Run) else Run(run)
    recipe, found = folder.recipe, folder.checkpoint(checkpoint)
    generator = build_generator(recipe)
    load_generator(found, generator)
    return Model(recipe, generator.to(device), found)
