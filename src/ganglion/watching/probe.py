"""Looks at a foreign generator with latents of its own kind, taken from the training itself, against reals that went by.

N images, C channels, H height, W width.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ganglion.vitals.probe import (
    EXAMINED,
    DiscriminatorOutput,
    LabelledImages,
    ReferenceSet,
    Step,
    counting_dead_units,
    differs_by_mode,
    examine,
    sample_statistics,
)
from ganglion.watching.foreign import (
    as_images,
    ends_in_sigmoid,
    image_of,
    judgement_of,
    logits_of,
    rows_of,
    tensors_in,
    without_side_effects,
)

__all__ = ["ForeignProbe", "LastSeen"]


FEWEST = 16
WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd)


class LastSeen(NamedTuple):
    """What went by in the last step; None for what was not seen."""

    real: Tensor | None
    fake: Tensor | None
    """At D's input."""
    drawn: Tensor | None
    """By G in train mode."""
    arguments: tuple[Any, ...]
    """Which G drew it of."""


class ForeignProbe:
    """Collects what went by until there is enough to compare, then examines at each record."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        self.generator, self.discriminator = generator, discriminator
        self._asked: list[tuple[Any, ...]] = []
        self._reals: list[Tensor] = []
        self._labels: list[tuple[Tensor, ...]] = []
        self._reference_set: ReferenceSet | None = None
        self._first: Tensor | None = None
        self.unseen: set[str] = set()
        """What cannot be looked at, in a person's words."""

    def keep_latents(self, arguments: tuple[Any, ...]) -> None:
        """What G was called with in training; the first rows are its fixed latents."""
        if self._kept(self._asked) < EXAMINED and _rows(arguments):
            self._asked.append(_copied(arguments))

    def keep_first(self, drawn: Tensor) -> None:
        """A batch of G; the very first one shows what its first weights draw."""
        if self._first is None:
            self._first = drawn.detach().float().clone()

    def at_the_start(self) -> dict[str, Any]:
        """What the very first batch of G looked like beside reals; nothing where that cannot be said."""
        reference = self._measure()
        images = None if self._first is None else as_images(self._first)
        if reference is None or images is None or images.shape[1:] != reference.reals.images.shape[1:]:
            return {}
        return sample_statistics(reference, images)

    def keep_reals(self, images: Tensor, arguments: tuple[Any, ...]) -> None:
        """A batch of reals at D's input, and what D was given beside it."""
        if self._reference_set is None and sum(map(len, self._reals)) < EXAMINED:
            self._reals.append(images.detach().float().clone())
            self._labels.append(tuple(tensors_in(_copied(arguments))))

    def examine(self, seen: LastSeen, separated: float | None) -> dict[str, Any]:
        """The record's numbers that come from images; `separated` is D's separation in training."""
        reference, asked = self._measure(), self._latents()
        if reference is None or asked is None:
            return {}
        with without_side_effects(self.generator, self.discriminator):
            samples, dead_g = self._draw(asked)
            if samples is None or samples.shape[1:] != reference.reals.images.shape[1:]:
                self.unseen.add("samples: what the generator returns does not look like the images that D is shown")
                return {}
            others, _ = self._draw((asked[0].roll(1, 0), *asked[1:]))
            judge = self._judge(reference, asked)
            with counting_dead_units(self.discriminator) as units:
                found = examine(
                    reference,
                    LabelledImages(samples),
                    samples if others is None else others,
                    self._step(seen),
                    judge,
                    separated,
                )
            shares = {"dead_g": dead_g, "dead_d": None if judge is None else units.share()}
            return found | {key: share for key, share in shares.items() if share is not None}

    def _step(self, seen: LastSeen) -> Step | None:
        """The last step as training had it, and the same latents in eval mode."""
        real, fake, drawn = (None if images is None else as_images(images) for images in seen[:3])
        if real is None or fake is None or drawn is None:
            return None
        again = self._draw(seen.arguments)[0] if differs_by_mode(self.generator) and _rows(seen.arguments) else None
        return Step(real, fake, drawn, again if again is not None and again.shape == drawn.shape else None)

    def pictures(self) -> Tensor | None:
        """Samples (N, C, H, W) at the fixed latents; None where there are none yet."""
        asked = self._latents()
        if asked is None:
            return None
        with without_side_effects(self.generator):
            return self._draw(asked)[0]

    def _draw(self, arguments: tuple[Any, ...]) -> tuple[Tensor | None, float | None]:
        with counting_dead_units(self.generator) as units, torch.autocast(arguments[0].device.type, enabled=False):
            found = image_of(self.generator(*arguments))
        images = None if found is None else as_images(found.float())
        return images, units.share()

    def _judge(self, reference: ReferenceSet, asked: tuple[Any, ...]) -> Any:
        """D in eval mode; None where it wants more than images and a label of each."""
        extra = list(tensors_in(asked[1:]))
        real_labels = reference.reals.labels
        if (real_labels is None) != (not extra) or len(extra) > 1:
            self.unseen.add("what D makes of samples: it is given more than images, and what to give it is not known")
            return None
        flat = self._reals[0].ndim == 2 if self._reals else False

        def judge(shown: LabelledImages) -> DiscriminatorOutput:
            labels = shown.labels if shown.labels is not None else (extra[0] if extra else None)
            images = shown.images.flatten(1) if flat else shown.images
            kept: list[Tensor] = []
            hooks = [
                module.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
                for module in self.discriminator.modules()
                if isinstance(module, WEIGHTED)
            ]
            try:
                output = self.discriminator(images) if labels is None else self.discriminator(images, labels)
            finally:
                for hook in hooks:
                    hook.remove()
            opinion = judgement_of(output, len(images))
            if opinion is None:
                raise ValueError("D returned no opinion for each image")
            features = kept[-1].flatten(1) if kept and len(kept[-1]) == len(images) else None
            squashed = bool(ends_in_sigmoid(self.discriminator, opinion)) or self.squashed
            return DiscriminatorOutput(logits_of(rows_of(opinion), squashed), features)

        return judge

    squashed = False
    """Whether D ends in a sigmoid, as its training graph shows."""

    def _measure(self) -> ReferenceSet | None:
        """What samples are held against; it stays the same from when there are reals enough."""
        collected = sum(map(len, self._reals))
        if self._reference_set is not None or collected < FEWEST:
            return self._reference_set
        images = as_images(torch.cat(self._reals)[:EXAMINED])
        if images is None:
            self.unseen.add("the images: what D is shown has no shape of images")
            return None
        reference = ReferenceSet(LabelledImages(images, _joined(self._labels)))
        self._reference_set = reference if collected >= EXAMINED else None
        return reference

    def _latents(self) -> tuple[Any, ...] | None:
        if self._kept(self._asked) < FEWEST:
            return None
        first = self._asked[0]
        return tuple(
            torch.cat([asked[place] for asked in self._asked])[:EXAMINED]
            if isinstance(first[place], Tensor)
            else first[place]
            for place in range(len(first))
        )

    @staticmethod
    def _kept(asked: list[tuple[Any, ...]]) -> int:
        return sum(_rows(arguments) for arguments in asked)


def _rows(arguments: tuple[Any, ...]) -> int:
    """Rows of a batch; 0 where the first argument is no batch of numbers, or another has other rows."""
    if not arguments or not isinstance(arguments[0], Tensor) or not arguments[0].is_floating_point():
        return 0
    n = len(arguments[0])
    return n if all(not isinstance(a, Tensor) or (a.ndim and len(a) == n) for a in arguments) else 0


def _copied(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(a.detach().clone() if isinstance(a, Tensor) else a for a in arguments)


def _joined(labels: list[tuple[Tensor, ...]]) -> Tensor | None:
    if not labels or any(len(each) != 1 for each in labels):
        return None
    return torch.cat([each[0] for each in labels])[:EXAMINED]
