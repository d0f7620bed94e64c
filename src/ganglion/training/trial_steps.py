"""Steps on copies of the networks, to measure how much memory they take."""

from __future__ import annotations

import gc
import logging
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from typing import NamedTuple

import torch
from lightning_fabric import Fabric

from ganglion.errors import TrainingFailed
from ganglion.networks.base import has_batch_norm
from ganglion.networks.sampling import CHUNK, draw_latents, generate
from ganglion.platform.devices import fabric_precision, keep_freed_memory, release_freed_memory
from ganglion.platform.interrupt import Interrupt
from ganglion.platform.memory import PeakMeter, is_out_of_memory, process_bytes
from ganglion.platform.numerics import training_numerics
from ganglion.recipe.resolve import update
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.streams import Purpose, stream
from ganglion.training.conditions import labels_as_trained
from ganglion.training.loop import train_loop
from ganglion.training.outputs import SHEET_IMAGES, TrainingProbe
from ganglion.training.own import Own
from ganglion.training.players import Players
from ganglion.training.prepare import PreparedRun, batches_of, build_first_players
from ganglion.vitals.probe import PROBE_IMAGES, LastStep, measure

__all__ = ["Line", "TrialSteps"]

MEASURED_BYTES = 2**30  # of a bound for the larger of two measured steps, so that its activations outweigh its weights
MOST_MEASURED, SHARE_MEASURED = 32, 8  # images in it: so many, or this share of the batch
BATCHES_AT_ONCE = 8


class Line(NamedTuple):
    """Bytes as a function of the images that go through the networks at once."""

    fixed: float
    of_image: float

    @classmethod
    def through(cls, points: list[tuple[int, float]]) -> Line:
        """One or two measurements (images, bytes), the smaller first; of one, all of it is fixed."""
        (few, less), (most, bytes_) = points[0], points[-1]
        slope = max(0.0, (bytes_ - less) / max(1, most - few))
        return cls(max(0.0, bytes_ - slope * most), slope)

    def at(self, images: int) -> float:
        return self.fixed + self.of_image * images


class TrialSteps:
    """What a step, an evaluation and a sheet take, by the images in a micro-batch."""

    def __init__(self, prepared: PreparedRun, own: Own, share: int, bound_of_image: float, scatter: float) -> None:
        """`share`: the images of a batch in one process. `bound_of_image`: bytes that an image takes at most.

        `scatter`: how many times what a first step takes the process holds after many.
        """
        self.prepared, self.own, self.share, self.scatter = prepared, replace(own, callback=None), share, scatter
        self.batches, self._of_image = batches_of(prepared), bound_of_image
        players = build_first_players(prepared.recipe, self.batches, self.own)
        pair = players.generator, players.discriminator
        self.least = 2 if any(map(has_batch_norm, pair)) else 1
        weights = [sum(weight.numel() for weight in network.parameters()) for network in pair]
        # gradients and moments that the first step has not made yet
        self._later = 4 * (3 * weights[0] + 2 * weights[1])
        self._looking = Line(0, 0) if prepared.device.type == "cuda" else self._line_of_looks(players)
        self._lines: dict[bool, Line] = {}

    def of(self, images: int) -> float:
        """Bytes in micro-batches of so many images; infinite where a CUDA device has not enough."""
        if self.prepared.device.type == "cuda":
            return self._tried(images)
        split = images < self.share
        if split not in self._lines:
            self._lines[split] = self._line_of_steps(split)
        at_once = images if split or self.prepared.recipe.training.micro_batch else PROBE_IMAGES
        looking = self._looking.at(max(CHUNK, min(at_once, PROBE_IMAGES)))
        step = self._lines[split].at(images)
        return max(step + self._whole_batches() if split else step, looking)

    def _whole_batches(self) -> float:
        """Bytes of a batch's images, those of G, both augmented, and gradients at them: in micro-batches too they are whole."""
        data = self.prepared.recipe.data
        height, width = data.size or (0, 0)
        return BATCHES_AT_ONCE * 4.0 * self.share * (data.channels or 0) * height * width

    def _line_of_looks(self, players: Players) -> Line:
        """G and D without a graph, as for records and sheets; above what the networks themselves take."""
        few = max(1, self._few // 2)
        found = []
        for images in (few, few, 4 * few):  # the first time, kernels are compiled
            z, labels = self._drawn(self.prepared.recipe, images)
            release_freed_memory()
            with keep_freed_memory(), torch.no_grad(), PeakMeter(self.prepared.device) as meter:
                players.discriminator.trace(players.ema(z, labels), labels)
            found.append((images, float(meter.rise)))
        return Line.through(found[1:])

    @property
    def _few(self) -> int:
        """Images of which a step takes enough to be measured."""
        most = max(MOST_MEASURED, self.share // SHARE_MEASURED)
        return max(1, min(most, round(MEASURED_BYTES / self._of_image)))

    def _line_of_steps(self, split: bool) -> Line:
        """In micro-batches, which take about a third, of more images."""
        more = max(2, min(3 * self._few, self.share - 1)) if split else max(2, min(max(4, self._few), self.share))
        sizes = dict.fromkeys((max(self.least if split else 2, more // 2), more))

        def measured(n: int) -> float:
            return self._measured(n + 1 if split else n, n if split else None)

        for n in sizes:  # kernels are compiled for each size, and stay: those of the second would count as its images'
            measured(n)
        release_freed_memory()
        before = process_bytes()
        line = Line.through([(n, measured(n) - before) for n in sizes])
        return Line(line.fixed + self._later, line.of_image * self.scatter)

    def _measured(self, batch: int, micro_batch: int | None) -> float:
        """The size of the process at the peak of a step; of a batch in two micro-batches, or in one piece for None."""
        release_freed_memory()  # which would be used again, unseen
        keeping = keep_freed_memory() if micro_batch is None else nullcontext()  # as the run itself does
        with self._numerics(), keeping, PeakMeter(self.prepared.device) as meter:
            recipe, fabric = self._one_step(batch, micro_batch)
            self._step(fabric, recipe, build_first_players(recipe, self.batches, self.own))
        return meter.peak

    def _tried(self, images: int) -> float:
        """On a CUDA device: the whole step, a whole evaluation and a sheet."""
        micro_batch = images if images < self.share or self.prepared.recipe.training.micro_batch else None
        recipe, fabric = self._one_step(self.share, micro_batch)
        try:
            with self._numerics(), PeakMeter(self.prepared.device) as meter:
                players = build_first_players(recipe, self.batches, self.own)
                self._step(fabric, recipe, players)
                self._evaluate(fabric, recipe, players)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return float("inf")
        finally:
            gc.collect()  # what failed is in a cycle with its traceback
        return meter.rise

    def _numerics(self) -> AbstractContextManager[None]:
        return training_numerics(self.prepared.device, self.prepared.recipe.training.deterministic)

    def _one_step(self, batch: int, micro_batch: int | None) -> tuple[Recipe, Fabric]:
        """The first update of each player: every lazy penalty is due at it."""
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        recipe = update(
            self.prepared.recipe, training__batch=max(2, batch), training__micro_batch=micro_batch, training__steps=1,
            training__kimg=None, training__minutes=None, training__progressive=0, balance__d_steps=1, balance__g_steps=1,
        )  # fmt: skip
        precision = fabric_precision(recipe.training.precision)
        return recipe, Fabric(accelerator=self.prepared.device.type, devices=1, precision=precision)

    def _step(self, fabric: Fabric, recipe: Recipe, players: Players) -> None:
        drawing = [fabric.device] if fabric.device.type == "cuda" else []
        kept = torch.random.fork_rng(devices=drawing, enabled=self.own.networks is not None)
        with kept, suppress(TrainingFailed):  # the run itself will say where numbers are not finite
            train_loop(fabric, recipe, self.batches, players, TrainingProgress(), None, Interrupt(), own=self.own)

    def _evaluate(self, fabric: Fabric, recipe: Recipe, players: Players) -> None:
        probe = TrainingProbe(recipe, self.batches, players, fabric.device, fabric.autocast)
        real = self.batches.take(0, 2).images
        measure(probe, LastStep(real, real, real, self._drawn(recipe, 2)), 1.0)
        generate(players.ema, *self._drawn(recipe, SHEET_IMAGES))

    def _drawn(self, recipe: Recipe, images: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        device = self.prepared.device
        labels = labels_as_trained(recipe, self.batches, images, stream(0, Purpose.EXAMINED))
        z = draw_latents(recipe.latent, images, stream(0, Purpose.EXAMINED))
        return z.to(device), None if labels is None else labels.to(device)
