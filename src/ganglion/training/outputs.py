"""What is looked at, drawn and scored when a record or a snapshot is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganglion.data.batches import Batches
from ganglion.data.pixels import to_uint8
from ganglion.metrics.untrained import SCORED_IMAGES, SnapshotScore
from ganglion.networks.base import Discriminator
from ganglion.networks.build import class_count, class_counts
from ganglion.networks.sampling import CHUNK, draw_labels, draw_latents, generate, generate_chunks
from ganglion.pictures.sheets import save_image, sheet
from ganglion.recipe.schema import Recipe
from ganglion.runs.folder import Run
from ganglion.runs.journal import VitalsLog
from ganglion.streams import Purpose, stream
from ganglion.training.players import Players
from ganglion.vitals.probe import (
    EXAMINED,
    POOL,
    DiscriminatorOutput,
    LabelledImages,
    ReferenceSet,
    Step,
    counting_dead_units,
    differs_by_mode,
    examine,
    in_eval_mode,
    sample_statistics,
)
from ganglion.vitals.records import Record
from ganglion.vitals.step_stats import clip_share

__all__ = ["SHEET_IMAGES", "LastStep", "Probe", "Snapshots"]


Autocast = Callable[[], AbstractContextManager[Any]]


class LastStep:
    """What the last step before a record has to show: reals, and what G drew of which latents, in train mode.

    Before augmentation and noise, which widen both players' ranges alike and by chance.
    """

    def __init__(self, real: Tensor, drawn: Tensor, z: Tensor, labels: Tensor | None) -> None:
        self.real, self.drawn, self.z, self.labels = real, drawn.detach().float(), z, labels


class Probe:
    """Examines the players. The same latents and images are used each time."""

    def __init__(self, recipe: Recipe, batches: Batches, device: torch.device, autocast: Autocast) -> None:
        self.recipe, self.autocast = recipe, autocast
        seed = recipe.training.seed
        random = stream(seed, Purpose.EXAMINED)
        unseen = batches.unseen[:EXAMINED]
        self.reference = ReferenceSet(
            LabelledImages(*batches.pick(_some(batches.seen, EXAMINED, random))),
            LabelledImages(*batches.pick(unseen)) if len(unseen) else None,
            batches.pick(_some(batches.seen, POOL, random)).images if len(unseen) else None,
            seed,
        )
        self.z = draw_latents(recipe.latent, EXAMINED, stream(seed, Purpose.EXAMINED, 1)).to(device)
        labels = draw_labels(class_counts(recipe), EXAMINED, stream(seed, Purpose.EXAMINED, 2))
        self.labels = None if labels is None else labels.to(device)

    def at_the_start(self, players: Players) -> Record:
        """The record of step 0: what G's first weights draw."""
        with torch.no_grad(), self.autocast():  # in train mode, as in the first step; its statistics are put back
            kept = [buffer.clone() for buffer in players.generator.buffers()]
            samples = players.generator.train()(self.z, self.labels).float()
            for buffer, before in zip(players.generator.buffers(), kept, strict=True):
                buffer.copy_(before)
        return {"step": 0, "kimg": 0.0, "seconds": 0.0, **sample_statistics(self.reference, samples)}

    def __call__(self, players: Players, last: LastStep, separated: float | None) -> dict[str, Any]:
        """The record's numbers that come from images and from weights at rest."""
        generator, discriminator = players.generator, players.discriminator
        with torch.no_grad(), self.autocast(), in_eval_mode(generator), in_eval_mode(discriminator):
            with counting_dead_units(generator) as units_g:
                samples = generator(self.z, self.labels).float()
            others = samples.roll(1, 0) if self.labels is None else generator(self.z.roll(1, 0), self.labels).float()
            again = generator(last.z, last.labels).float() if differs_by_mode(generator) else None
            with counting_dead_units(discriminator) as units_d:
                found = examine(
                    self.reference, LabelledImages(samples, self.labels), others,
                    Step(last.real, last.drawn, last.drawn, again), _judge(discriminator), separated,
                )  # fmt: skip
        dead = {"dead_g": units_g.share(), "dead_d": units_d.share()}
        found |= {key: share for key, share in dead.items() if share is not None}
        found |= {"parameters_g": _weights(generator), "parameters_d": _weights(discriminator)}
        if self.recipe.objective.weight_clip is not None:
            found["clip_share"] = clip_share(discriminator, self.recipe.objective.weight_clip)
        return found


def _weights(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def _judge(discriminator: Discriminator) -> Callable[[LabelledImages], DiscriminatorOutput]:
    def judge(shown: LabelledImages) -> DiscriminatorOutput:
        logits, features = discriminator.trace(shown.images, shown.labels)
        return DiscriminatorOutput(logits.float(), features.float())

    return judge


def _some(places: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(random.permutation(places)[:count])


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
        self.score = SnapshotScore(_some_reals(batches, seed))

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
