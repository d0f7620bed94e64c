"""What is looked at when a record is due: the generator that is being trained, and D, both in eval mode, on few images.

Nothing that training uses is changed: modes are put back, and no statistics move in eval mode.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganglion.data.batches import Batches
from ganglion.networks.build import class_counts
from ganglion.networks.discriminator import Discriminator
from ganglion.networks.latents import draw_labels, draw_latents
from ganglion.recipe.schema import Recipe
from ganglion.streams import Purpose, stream
from ganglion.training.players import Players
from ganglion.vitals.examination import EXAMINED, POOL, Judged, Shown, Step, Yardstick, examine, looks_of
from ganglion.vitals.gauges import clip_share
from ganglion.vitals.records import Record
from ganglion.vitals.rest import at_rest, differs_by_mode
from ganglion.vitals.units import watching_units

__all__ = ["Checkup", "LastStep"]

Autocast = Callable[[], AbstractContextManager[Any]]


class LastStep:
    """What the last step before a record has to show: reals, and what G drew of which latents, in train mode.

    Before augmentation and noise, which widen both players' ranges alike and by chance.
    """

    def __init__(self, real: Tensor, drawn: Tensor, z: Tensor, labels: Tensor | None) -> None:
        self.real, self.drawn, self.z, self.labels = real, drawn.detach().float(), z, labels


class Checkup:
    """Examines the players. The same latents and images are used each time."""

    def __init__(self, recipe: Recipe, batches: Batches, device: torch.device, autocast: Autocast) -> None:
        self.recipe, self.autocast = recipe, autocast
        seed = recipe.training.seed
        random = stream(seed, Purpose.EXAMINED)
        unseen = batches.unseen[:EXAMINED]
        self.yardstick = Yardstick(
            Shown(*batches.pick(_some(batches.seen, EXAMINED, random))),
            Shown(*batches.pick(unseen)) if len(unseen) else None,
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
        return {"step": 0, "kimg": 0.0, "seconds": 0.0, **looks_of(self.yardstick, samples)}

    def __call__(self, players: Players, last: LastStep, separated: float | None) -> dict[str, Any]:
        """The record's numbers that come from images and from weights at rest."""
        generator, discriminator = players.generator, players.discriminator
        with torch.no_grad(), self.autocast(), at_rest(generator), at_rest(discriminator):
            with watching_units(generator) as units_g:
                samples = generator(self.z, self.labels).float()
            others = samples.roll(1, 0) if self.labels is None else generator(self.z.roll(1, 0), self.labels).float()
            again = generator(last.z, last.labels).float() if differs_by_mode(generator) else None
            with watching_units(discriminator) as units_d:
                found = examine(
                    self.yardstick, Shown(samples, self.labels), others,
                    Step(last.real, last.drawn, last.drawn, again), _judge(discriminator), separated,
                )  # fmt: skip
        dead = {"dead_g": units_g.share(), "dead_d": units_d.share()}
        found |= {key: share for key, share in dead.items() if share is not None}
        found |= {"parameters_g": _weights(generator), "parameters_d": _weights(discriminator)}
        if self.recipe.objective.clip is not None:
            found["clip_share"] = clip_share(discriminator, self.recipe.objective.clip)
        return found


def _weights(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def _judge(discriminator: Discriminator) -> Callable[[Shown], Judged]:
    def judge(shown: Shown) -> Judged:
        logits, features = discriminator.trace(shown.images, shown.labels)
        return Judged(logits.float(), features.float())

    return judge


def _some(places: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(random.permutation(places)[:count])
