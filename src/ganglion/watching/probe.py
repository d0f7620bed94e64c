"""The probe for networks of other programs: latents and labels from the training, reals from D's input.

N images, C channels, H height, W width.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.objectives.losses import DiscriminatorOutput
from ganglion.vitals.probe import PROBE_IMAGES, LabelledImages, ReferenceSet, sample_statistics
from ganglion.watching.foreign import (
    as_images,
    discriminator_output,
    ends_in_sigmoid,
    images_in,
    logits_of,
    per_image_mean,
    tensors_in,
    without_side_effects,
)

__all__ = ["ForeignProbe"]


FEWEST = 16
WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd)


class ForeignProbe:
    """Collects batches until there are enough, then implements `ProbedModel` for `vitals.probe.measure`."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        self.generator, self.discriminator = generator, discriminator
        self._inputs: list[tuple[Any, ...]] = []
        self._reals: list[Tensor] = []
        self._labels: list[tuple[Tensor, ...]] = []
        self._reference_set: ReferenceSet | None = None
        self._first: Tensor | None = None
        self.unseen: set[str] = set()
        """What could not be measured, and why."""

    def keep_latents(self, arguments: tuple[Any, ...]) -> None:
        """Inputs of G in training; the first rows are used as fixed latents."""
        if self._kept(self._inputs) < PROBE_IMAGES and _rows(arguments):
            self._inputs.append(_copied(arguments))

    def keep_first(self, drawn: Tensor) -> None:
        """A batch of G; the first one, of the initial weights, is kept."""
        if self._first is None:
            self._first = drawn.detach().float().clone()

    def first_statistics(self) -> dict[str, Any]:
        """Statistics of G's first batch relative to the reals; empty where these are not available."""
        reference = self.reference()
        images = None if self._first is None else as_images(self._first)
        if reference is None or images is None or images.shape[1:] != reference.reals.images.shape[1:]:
            return {}
        return sample_statistics(reference, images)

    def keep_reals(self, images: Tensor, arguments: tuple[Any, ...]) -> None:
        """A batch of reals at D's input, and D's other arguments."""
        if self._reference_set is None and sum(map(len, self._reals)) < PROBE_IMAGES:
            self._reals.append(images.detach().float().clone())
            self._labels.append(tuple(tensors_in(_copied(arguments))))

    def inspecting(self) -> AbstractContextManager[None]:
        return without_side_effects(self.generator, self.discriminator)

    def samples(self, shifted: bool = False) -> LabelledImages | None:
        inputs, reference = self._latents(), self.reference()
        if inputs is None or reference is None:
            return None
        images = self.regenerate((inputs[0].roll(1, 0), *inputs[1:]) if shifted else inputs)
        if images is None or images.shape[1:] != reference.reals.images.shape[1:]:
            self.unseen.add("samples: the generator's output has a different shape from D's input")
            return None
        extra = list(tensors_in(inputs[1:]))
        return LabelledImages(images, extra[0] if len(extra) == 1 else None)

    def regenerate(self, inputs: tuple[Any, ...]) -> Tensor | None:
        if not _rows(inputs):
            return None
        with torch.autocast(inputs[0].device.type, enabled=False):
            found = images_in(self.generator(*inputs))
        return None if found is None else as_images(found.float())

    def discriminate(self, images: LabelledImages) -> DiscriminatorOutput | None:
        """None where D needs more than images and a label of each."""
        reference, inputs = self.reference(), self._latents()
        extra = list(tensors_in(inputs[1:])) if inputs else []
        if reference is None or (reference.reals.labels is None) != (not extra) or len(extra) > 1:
            self.unseen.add("D on samples: D takes other arguments than images and labels")
            return None
        flat = self._reals[0].ndim == 2 if self._reals else False
        shown = images.images.flatten(1) if flat else images.images
        output, features = self._call_discriminator(shown, images.labels)
        scores = discriminator_output(output, len(shown))
        if scores is None:
            raise ValueError("D returned no score per image")
        squashed = bool(ends_in_sigmoid(self.discriminator, scores)) or self.squashed
        return DiscriminatorOutput(logits_of(per_image_mean(scores), squashed), features)

    def _call_discriminator(self, images: Tensor, labels: Tensor | None) -> tuple[Any, Tensor | None]:
        """D's output, and the input (N, F) of its last layer with weights, if that has a row per image."""
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
        return output, kept[-1].flatten(1) if kept and len(kept[-1]) == len(images) else None

    def pictures(self) -> Tensor | None:
        """Samples (N, C, H, W) at the fixed latents; None where there are none yet."""
        inputs = self._latents()
        if inputs is None:
            return None
        with without_side_effects(self.generator):
            return self.regenerate(inputs)

    squashed = False
    """Whether D ends in a sigmoid, by its autograd graph in training."""

    def reference(self) -> ReferenceSet | None:
        """The reals that samples are compared with; fixed as soon as there are enough."""
        collected = sum(map(len, self._reals))
        if self._reference_set is not None or collected < FEWEST:
            return self._reference_set
        images = as_images(torch.cat(self._reals)[:PROBE_IMAGES])
        if images is None:
            self.unseen.add("the images: D's input does not have the shape of images")
            return None
        reference = ReferenceSet(LabelledImages(images, _joined(self._labels)))
        self._reference_set = reference if collected >= PROBE_IMAGES else None
        return reference

    def _latents(self) -> tuple[Any, ...] | None:
        if self._kept(self._inputs) < FEWEST:
            return None
        first = self._inputs[0]
        return tuple(
            torch.cat([arguments[i] for arguments in self._inputs])[:PROBE_IMAGES]
            if isinstance(first[i], Tensor)
            else first[i]
            for i in range(len(first))
        )

    @staticmethod
    def _kept(inputs: list[tuple[Any, ...]]) -> int:
        return sum(_rows(arguments) for arguments in inputs)


def _rows(arguments: tuple[Any, ...]) -> int:
    """Rows of a batch; 0 where the first argument is not a float batch, or another has a different number of rows."""
    if not arguments or not isinstance(arguments[0], Tensor) or not arguments[0].is_floating_point():
        return 0
    n = len(arguments[0])
    return n if all(not isinstance(a, Tensor) or (a.ndim and len(a) == n) for a in arguments) else 0


def _copied(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(a.detach().clone() if isinstance(a, Tensor) else a for a in arguments)


def _joined(labels: list[tuple[Tensor, ...]]) -> Tensor | None:
    if not labels or any(len(each) != 1 for each in labels):
        return None
    return torch.cat([each[0] for each in labels])[:PROBE_IMAGES]
