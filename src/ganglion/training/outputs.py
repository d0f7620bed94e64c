"""What a training leaves behind: the probe of its networks for records, sheets and scores of snapshots, the journal.

N images, C channels, H height, W width, Z latent dimension.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganglion.data.alpha import straight
from ganglion.data.batches import Batches
from ganglion.data.pixels import to_uint8
from ganglion.metrics.relative_distance import RelativeDistance, gaussian_images, most_fitted
from ganglion.metrics.untrained import SCORED_IMAGES, SnapshotScore, scored_images
from ganglion.networks.build import class_count
from ganglion.networks.sampling import CHUNK, draw_latents, generate, generate_chunks
from ganglion.objectives.losses import DiscriminatorOutput
from ganglion.pictures.sheets import sheet
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import SCORE_NOISE, TrainingProgress
from ganglion.runs.folder import Run
from ganglion.runs.journal import RunJournal
from ganglion.streams import Purpose, stream
from ganglion.training.conditions import labels_as_trained
from ganglion.training.micro_batches import in_parts
from ganglion.training.players import Players
from ganglion.training.speed_watch import SpeedWatch
from ganglion.vitals.inspection import in_eval_mode
from ganglion.vitals.probe import POOL, PROBE_IMAGES, LabelledImages, ReferenceSet, sample_statistics
from ganglion.vitals.records import Record

__all__ = ["SHEET_IMAGES", "RunOutputs", "Snapshots", "TrainingProbe", "rank", "start_writer"]

SHEET_IMAGES = 64
REGENERATED = 16  # images of the last step that G draws again in eval mode

Autocast = Callable[[], AbstractContextManager[Any]]


class TrainingProbe:
    """The networks of a training as `vitals.probe.measure` uses them. The same latents and images are used each time.

    Where the recipe has micro-batches, no more images than these go through a network at once.
    """

    def __init__(
        self, recipe: Recipe, batches: Batches, players: Players, device: torch.device, autocast: Autocast
    ) -> None:
        self.generator: nn.Module = players.generator
        self.discriminator = players.discriminator
        self._autocast, self._most = autocast, recipe.training.micro_batch
        seed = recipe.training.seed
        random = stream(seed, Purpose.EXAMINED)
        unseen = batches.unseen[:PROBE_IMAGES]
        self._reference = ReferenceSet(
            LabelledImages(*batches.pick(_some(batches.seen, PROBE_IMAGES, random))),
            LabelledImages(*batches.pick(unseen)) if len(unseen) else None,
            _in_chunks(batches, _some(batches.seen, POOL, random)) if len(unseen) else (),
            seed,
        )
        self._z = draw_latents(recipe.latent, PROBE_IMAGES, stream(seed, Purpose.EXAMINED, 1)).to(device)
        labels = labels_as_trained(recipe, batches, PROBE_IMAGES, stream(seed, Purpose.EXAMINED, 2))
        self._labels = None if labels is None else labels.to(device)
        self._depends_on_z_alone = labels is None and recipe.generator.family != "custom"
        self._known: Tensor | None = None  # the newest samples, which with other latents are the same in another order

    def first_record(self, generator: nn.Module) -> Record:
        """The record of step 0: what `generator`, G with its first weights, draws in train mode as in the first step."""
        with torch.no_grad(), self._autocast():
            kept = [buffer.clone() for buffer in generator.buffers()]
            samples = self._generate(generator.train(), self._z, self._labels)
            for buffer, before in zip(generator.buffers(), kept, strict=True):
                buffer.copy_(before)
        return {"step": 0, "kimg": 0.0, "seconds": 0.0, **sample_statistics(self._reference, samples)}

    @contextmanager
    def inspecting(self) -> Iterator[None]:
        with ExitStack() as stack:
            for guard in (
                torch.no_grad(), self._autocast(), in_eval_mode(self.generator), in_eval_mode(self.discriminator)
            ):  # fmt: skip
                stack.enter_context(guard)
            yield

    def reference(self) -> ReferenceSet:
        return self._reference

    def samples(self, shifted: bool = False) -> LabelledImages:
        if shifted and self._known is not None:
            return LabelledImages(self._known.roll(1, 0))
        images = self._generate(self.generator, self._z.roll(1, 0) if shifted else self._z, self._labels)
        if self._depends_on_z_alone:
            self._known = images
        return LabelledImages(images, self._labels)

    def regenerate(self, inputs: tuple[Any, ...]) -> Tensor:
        """Of the first REGENERATED images."""
        return self._generate(self.generator, *(one if one is None else one[:REGENERATED] for one in inputs))

    def _generate(self, generator: nn.Module, *inputs: Tensor | None) -> Tensor:
        return in_parts(generator, lambda *some: (generator(*some),), self._most, *inputs)[0].float()

    def discriminate(self, images: LabelledImages) -> DiscriminatorOutput:
        found = in_parts(self.discriminator, self.discriminator.trace, self._most, images.images, images.labels)
        logits, features = found
        return DiscriminatorOutput(logits.float(), features.float())


@dataclass
class RunOutputs:
    """Where results go. Only the first process of a run has one."""

    run: Run
    journal: RunJournal
    probe: TrainingProbe
    snapshots: Snapshots
    show_progress: Callable[[float, str | None], None]
    """Share of the budget in [0, 1], and a status line where it has changed."""
    speed: SpeedWatch
    write_start: Callable[[], None] = lambda: None
    """Writes what the first weights draw, before the first record; the first step need not wait for it."""


def start_writer(outputs: RunOutputs, players: Players) -> Callable[[], None]:
    """Writes at its first call, with copies of the first weights, what these draw: sheets, and the record of step 0."""
    first = [(copy.deepcopy(players.ema), copy.deepcopy(players.generator))]

    def write() -> None:
        if not first:
            return
        ema, generator = first.pop()
        outputs.snapshots.draw(ema, 0)
        record = outputs.probe.first_record(generator)
        outputs.journal.write(record)
        outputs.journal.diagnose(record)

    return write


class Snapshots:
    """Sheets and scores of the averaged G. The same reals and latents are compared each time."""

    def __init__(self, recipe: Recipe, batches: Batches, journal: RunJournal, device: torch.device) -> None:
        self.recipe, self.journal, self.device = recipe, journal, device
        seed = recipe.training.seed
        self.fixed_z = self._latents(SHEET_IMAGES, Purpose.SAMPLE)
        self._count = scored_images(batches.images)
        self.scored_z = self._latents(self._count, Purpose.SCORE)
        labels = labels_as_trained(recipe, batches, self._count, stream(seed, Purpose.LABEL))
        self.scored_labels = self._on_device(labels)
        self.sheet_labels = self._sorted_labels(class_count(recipe))
        self._batches = batches

    @cached_property
    def score(self) -> SnapshotScore:
        """Made at the first snapshot: the features of its reals take a second, by which the first step need not wait."""
        return SnapshotScore(_some_reals(self._batches, self.recipe.training.seed))

    @cached_property
    def distance(self) -> RelativeDistance:
        return RelativeDistance(_some_reals(self._batches, self.recipe.training.seed))

    def take(self, ema: nn.Module, progress: TrainingProgress) -> Record:
        """Writes both sheets of `ema` and returns its distances to the data, as keys of a record; lower is better.

        The distances that the relative one counts as 1 are measured once, and kept in `progress`.
        """
        self.draw(ema, progress.step)
        if progress.gaussian_distances is None:
            progress.gaussian_distances = self._gaussian_distances()
        samples = generate_chunks(ema, self.scored_z.to(self.device), self.scored_labels)
        each = [(self.score.features([chunk]), *self.distance.features([chunk])) for chunk in samples]
        features, *relative_to = (np.concatenate(parts) for parts in zip(*each, strict=True))
        relative = self.distance.of(tuple(relative_to), progress.gaussian_distances)
        found: Record = {"frechet": self.score.frechet(features)}
        return found | ({} if relative is None else {"relative_distance": relative})

    def _gaussian_distances(self) -> tuple[float, ...]:
        """The distances to the reals of samples of a Gaussian fitted to their pixels."""
        seed = self.recipe.training.seed
        fitted = _some_reals(self._batches, seed, most_fitted(self._batches.shape))
        drawn = gaussian_images(fitted, self._count, stream(seed, Purpose.SCORE, 2))
        return self.distance.distances(self.distance.features(drawn))

    def rank(self, record: Record) -> Rank:
        """Of a record with the distances of `take`."""
        return rank(record, self._batches.images)

    def draw(self, ema: nn.Module, step: int) -> None:
        """Writes both sheets of `ema` at `step`: fixed latents and new ones."""
        for kind, z in (("fixed", self.fixed_z), ("fresh", self._latents(SHEET_IMAGES, Purpose.FRESH, step))):
            images = straight(to_uint8(generate(ema, z.to(self.device), self.sheet_labels)).cpu().numpy())
            page = sheet(images, channels=self.recipe.data.shown_channels)
            self.journal.save_sheet(kind, page, step)

    def _sorted_labels(self, classes: int) -> Tensor | None:
        """The sheet's classes in their order, as evenly many of each as it holds; condition vectors in the order of columns."""
        if self.recipe.data.conditions and self.scored_labels is not None:
            vectors = self.scored_labels[:SHEET_IMAGES]  # (N, K)
            return vectors[torch.from_numpy(np.lexsort(vectors.cpu().numpy().T[::-1])).to(vectors.device)]
        return self._on_device(torch.arange(SHEET_IMAGES) * classes // SHEET_IMAGES) if classes else None

    def _on_device(self, labels: Tensor | None) -> Tensor | None:
        return None if labels is None else labels.to(self.device)

    def _latents(self, n: int, purpose: Purpose, position: int = 0) -> Tensor:
        return draw_latents(self.recipe.latent, n, stream(self.recipe.training.seed, purpose, position))


RELATIVE_NOISE = 1.5
"""Of 1 + relative distance: of seven runs on few images whose newest weights were within it of earlier ones, they were nearer
by the judge of docs/folders.md in five, and never farther by more than 7 %."""


class Rank(NamedTuple):
    """What the best checkpoint has least of; snapshots within a factor of `noise` are alike, and the newest is it."""

    score: float
    noise: float = SCORE_NOISE


def rank(record: Record, reals: int) -> Rank:
    """The Fréchet distance of a snapshot, or, where there are fewer reals than it needs, 1 + relative distance."""
    relative = record.get("relative_distance")
    if relative is None or reals >= SCORED_IMAGES:
        return Rank(float(record["frechet"]))
    return Rank(1 + max(0.0, relative), RELATIVE_NOISE)


def _some_reals(batches: Batches, seed: int, most: int = SCORED_IMAGES) -> Iterator[Tensor]:
    """At most `most` training images chosen at random, and no more than samples are scored; chunks of float (N, C, H, W)."""
    chosen = np.sort(stream(seed, Purpose.SCORE, 1).permutation(batches.images)[: min(most, SCORED_IMAGES)])
    indices = batches.seen[np.resize(chosen, max(2, len(chosen)))]  # a covariance takes two, of a single image too
    return _in_chunks(batches, indices)


def _in_chunks(batches: Batches, indices: NDArray[np.int64]) -> Iterator[Tensor]:
    """Float images (n, C, H, W) in [-1, 1], CHUNK at once."""
    return (batches.pick(indices[first : first + CHUNK]).images for first in range(0, len(indices), CHUNK))


def _some(indices: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(random.permutation(indices)[:count])
