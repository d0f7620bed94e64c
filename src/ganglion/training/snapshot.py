"""What is drawn and scored from time to time: fixed and fresh samples of the averaged G, its distance to the data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.data.batches import Batches
from ganglion.data.pixels import to_uint8
from ganglion.data.sheet import save_image, sheet
from ganglion.metrics.cheap_score import SCORED_IMAGES, CheapScore
from ganglion.networks.build import class_count, class_counts
from ganglion.networks.latents import draw_labels, draw_latents
from ganglion.networks.sampling import CHUNK, generate, generate_chunks
from ganglion.recipe.schema import Recipe
from ganglion.streams import Purpose, stream
from ganglion.training.run import Run
from ganglion.vitals.log import VitalsLog

__all__ = ["SHEET_IMAGES", "Snapshots"]

SHEET_IMAGES = 64


class Snapshots:
    """Writes sheets into the run folder. The same reals and latents are compared each time."""

    def __init__(self, run: Run, recipe: Recipe, batches: Batches, vitals: VitalsLog, device: torch.device) -> None:
        self.run, self.recipe, self.vitals, self.device = run, recipe, vitals, device
        seed = recipe.training.seed
        self.fixed_z = self._latents(SHEET_IMAGES, Purpose.SAMPLE)
        self.scored_z = self._latents(SCORED_IMAGES, Purpose.SCORE)
        self.sheet_labels = self._sorted_labels(class_count(recipe))
        labels = draw_labels(class_counts(recipe), SCORED_IMAGES, stream(seed, Purpose.LABEL))
        self.scored_labels = self._on_device(labels)
        self.score = CheapScore(_some_reals(batches, seed))

    def take(self, ema: nn.Module, step: int) -> float:
        """Writes both sheets of `ema` at `step` and returns its distance to the data; lower is better."""
        self.draw(ema, step)
        return self.score.of(generate_chunks(ema, self.scored_z.to(self.device), self.scored_labels))

    def draw(self, ema: nn.Module, step: int) -> None:
        """Writes both sheets of `ema` at `step`."""
        fresh_z = self._latents(SHEET_IMAGES, Purpose.FRESH, step)
        for kind, folder, z in (
            ("fixed", self.run.fixed_samples, self.fixed_z),
            ("fresh", self.run.fresh_samples, fresh_z),
        ):
            images = to_uint8(generate(ema, z.to(self.device), self.sheet_labels)).cpu().numpy()
            page = sheet(images, channels=self.recipe.data.shown_channels)
            save_image(page, folder / f"{step:08d}.png")
            self.vitals.picture(f"samples/{kind}", page, step)

    def _sorted_labels(self, classes: int) -> Tensor | None:
        """The sheet's classes in their order, as evenly many of each as it holds."""
        return self._on_device(torch.arange(SHEET_IMAGES) * classes // SHEET_IMAGES) if classes else None

    def _on_device(self, labels: Tensor | None) -> Tensor | None:
        return None if labels is None else labels.to(self.device)

    def _latents(self, n: int, purpose: Purpose, position: int = 0) -> Tensor:
        return draw_latents(self.recipe.latent, n, stream(self.recipe.training.seed, purpose, position))


def _some_reals(batches: Batches, seed: int) -> Iterator[Tensor]:
    """As many as samples are scored, or all where there are fewer; chunks of float images (N, C, H, W)."""
    chosen = np.sort(stream(seed, Purpose.SCORE, 1).permutation(batches.images)[:SCORED_IMAGES])
    places = batches.seen[np.resize(chosen, max(2, len(chosen)))]  # a covariance takes two, of a single image too
    for first in range(0, len(places), CHUNK):
        yield batches.pick(places[first : first + CHUNK]).images
