"""The probe for networks of other programs: G called again as the training calls it, reals from D's input.

N images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.objectives.losses import DiscriminatorOutput
from ganglion.vitals.probe import PROBE_IMAGES, LabelledImages, LastStep, ReferenceSet, measure, sample_statistics
from ganglion.watching.calls import Arguments, DCall, GCall, Path, View
from ganglion.watching.fixed_inputs import FEWEST, FixedInputs, length
from ganglion.watching.forward import float_outputs, kept_output
from ganglion.watching.opinion import Opinion
from ganglion.watching.rows import Layout, RowsReference, as_images, layout_of
from ganglion.watching.state import Kept, copies, unchanged

__all__ = ["ForeignProbe"]


LEARNT = 1000
"""Steps after which a generator of tables or points should have learnt some variety."""
MOST_VALUES = 2**23
"""Of the images of each kind that are kept; fewer large images than small ones."""
WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd)


class ForeignProbe:
    """Collects inputs of G and reals until there are enough; then implements `ProbedModel` for `vitals.probe.measure`."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, opinion: Opinion) -> None:
        self.generator, self.discriminator = generator, discriminator
        self._networks, self._opinion = (generator, discriminator), opinion
        self.images = PROBE_IMAGES
        """Images of each kind in a look."""
        self.batch = 0
        """Images in a batch of D."""
        self.layout: Layout | None = None
        self.replayable = True
        """Whether G can be called again outside of training."""
        self.copied = False
        self.inputs = FixedInputs()
        self._reals: list[Tensor] = []
        self._own: list[Tensor] = []
        self._beside: list[dict[Path, Tensor]] = []
        self._shown: tuple[DCall, View] | None = None
        self._reference: ReferenceSet | RowsReference | None = None
        self._full = False
        self._samples: Tensor | None = None

    # What is collected in training

    def keep_reals(self, call: DCall, view: View, mask: Tensor) -> None:
        """A call of D and which of its images are real."""
        images = view.images[mask if len(mask) == len(view.images) else slice(None)].float()
        if self._reals and self._reals[0].shape[1:] != images.shape[1:]:  # images grow
            self._reals, self._beside, self._own, self._reference, self.layout = [], [], [], None, None
            self._full = False
        self._shown, self.batch = _stripped(call, view), max(self.batch, call.n)
        self.limit(images[0].numel() if len(images) else 1)
        if not self._full:
            self._reals.append(images.clone())
            rows = call.arguments.rows(call.n)
            self._beside.append(
                {at: t[mask].clone() for at, t in rows.items() if at != view.at and len(mask) == len(t)}
            )

    def keep_fakes(self, images: Tensor) -> None:
        """G's images as D was shown them: the samples of loops in which G cannot be called again."""
        self._own.append(images.detach().float())
        while len(self._own) > 1 and sum(map(len, self._own[1:])) >= self.images:
            self._own.pop(0)
        if not self.replayable or not self.inputs.rows(self.images):
            self._own[-1] = self._own[-1].clone()

    def limit(self, value_count: int) -> None:
        """Fewer images of each kind where they are large, or where a batch is small."""
        if self.batch:
            self.images = min(self.images, max(FEWEST, min(PROBE_IMAGES, 4 * self.batch, MOST_VALUES // value_count)))

    # Measurements

    def measure(self, last: LastStep, d_auc: float | None) -> dict[str, Any]:
        """The part of a record that comes from samples; empty where there are not enough of them yet."""
        reference = self.reference()
        self._samples = None
        self.inputs.forget_samples()
        if reference is None:
            return {}
        if not self.replayable or not self.inputs.rows(self.images):
            return self._of_own(reference)
        if isinstance(reference, ReferenceSet):
            return measure(self, last, d_auc)
        with self.inspecting():
            samples = self._generated()
            return reference.statistics(samples, self._generated(True)) if samples is not None else {}

    def _of_own(self, reference: ReferenceSet | RowsReference) -> dict[str, Any]:
        own = [one for one in self._own if one.shape[1:] == self._own[-1].shape[1:]] if self._own else []
        if sum(map(len, own)) < FEWEST:
            return {}
        samples = torch.cat(own)[-self.images :]
        if isinstance(reference, RowsReference):
            return reference.statistics(samples) if tuple(samples.shape[1:]) == reference.shape else {}
        images = None if self.layout is None else as_images(samples, self.layout)
        if images is None or images.shape[1:] != reference.reals.images.shape[1:]:
            return {}
        self._samples = images
        found = sample_statistics(reference, images)
        return found | {"swd": reference.distance(images), "swd_floor": reference.floor}

    def first_statistics(self, first: GCall | None) -> dict[str, Any]:
        """Statistics of G's first batch relative to the reals; empty where these are not available."""
        reference = self.reference()
        if first is None or reference is None or self.inputs.output >= len(first.outputs) or self.layout is None:
            return {}
        samples = first.outputs[self.inputs.output]
        if isinstance(reference, RowsReference):
            return reference.statistics(samples) if tuple(samples.shape[1:]) == reference.shape else {}
        images = as_images(samples, self.layout)
        if images is None or images.shape[1:] != reference.reals.images.shape[1:]:
            return {}
        return sample_statistics(reference, images)

    def reference(self) -> Any:
        """The reals that samples are compared with; fixed as soon as there are enough."""
        collected = sum(map(len, self._reals))
        if self._full or collected < FEWEST:
            return self._reference
        reals = torch.cat(self._reals)[: self.images]
        self.layout = self.layout or layout_of(reals)
        images = as_images(reals, self.layout)
        if images is None:
            self._reference = RowsReference(reals, self.layout)
        else:
            self._reference = ReferenceSet(LabelledImages(images, self._labels_of_reals()))
        if collected >= self.images:
            self._reals, self._full = [reals[:1]], True  # their shape is kept
        return self._reference

    def call_varied(self, step: int) -> None:
        """After so many steps a generator without variety counts as collapsed."""
        if isinstance(self._reference, RowsReference) and step >= LEARNT:
            self._reference.varied = True

    def fewer_images(self) -> bool:
        """Halves the images of a look; False where there are as few as possible."""
        if self.images <= FEWEST:
            return False
        self.images = max(FEWEST, self.images // 2)
        return True

    def describe(self) -> str:
        """What the samples are."""
        shape = "x".join(map(str, self._reals[0].shape[1:])) if self._reals else ""
        kind = f"{self.layout} of shape {shape}"
        if not self.replayable:
            return f"samples ({kind}) of the training's own batches"
        where = "a copy of G" if self.copied else "G"
        n = length(self.inputs.rows(self.images))
        return f"samples ({kind}) of {where}, called again in eval mode at {n} inputs from the training"

    def why_no_samples(self, blind: bool) -> str:
        """Why there are no statistics of samples yet."""
        reals, inputs = sum(map(len, self._reals)), self.inputs.count
        if blind:
            return "they are compared with reals, and these are not known"
        if not self._full and reals < FEWEST:
            return f"there are {reals} of {FEWEST} reals to compare with so far"
        if self.replayable and inputs < FEWEST:
            return f"there are {inputs} of {FEWEST} inputs of G so far"
        return "they do not have the shape of what D is shown as real"

    # ProbedModel

    @contextmanager
    def inspecting(self) -> Iterator[None]:
        """The networks in eval mode, everything restored afterwards; on copies where that is not possible."""
        networks = self._networks
        lost = Kept(*networks).lost
        self.copied = bool(lost)
        if lost:
            networks = copies(networks, lost)
        self.generator, self.discriminator = networks
        try:
            with unchanged(*self._networks, *(networks if lost else ())):
                yield
        finally:
            self.generator, self.discriminator = self._networks

    def samples(self, shifted: bool = False) -> LabelledImages | None:
        reference = self.reference()
        found = self._generated(shifted)
        images = None if found is None or self.layout is None else as_images(found, self.layout)
        if images is None or not isinstance(reference, ReferenceSet):
            return None
        if not shifted:
            self._samples = images
        return LabelledImages(images, self._labels_of_samples())

    def regenerate(self, inputs: tuple[Any, ...]) -> Tensor | None:
        """The images of one call of G again."""
        if not inputs or self.layout is None:
            return None
        call: GCall = inputs[0]
        found = self.inputs.of_call(self.generator, call.arguments)
        return None if found is None else as_images(found, self.layout)

    def discriminate(self, images: LabelledImages) -> DiscriminatorOutput | None:
        """None where D needs more than images and a label of each."""
        reals = self._beside[0] if self._beside else {}
        labels = next(iter(reals), None)
        if self._shown is None or len(reals) > 1 or (labels is not None and images.labels is None):
            return None
        call, view = self._shown
        if view.part != "whole" or not self._opinion.readings or not self._opinion.is_score:
            return None
        shown = images.images.reshape(len(images.images), *view.marks.shape)
        new = {view.at: shown} | ({labels: images.labels} if labels is not None and images.labels is not None else {})
        output, features = self._call_discriminator(call.arguments, new)
        made = DCall(0, len(shown), call.arguments, [], False, False, False, [])
        tensors = enumerate(float_outputs(output))
        made.outputs = [kept for i, tensor in tensors if (kept := kept_output(i, tensor, made, None)) is not None]
        scores = self._opinion.scores(made)
        if scores is None or len(scores) != len(shown):
            return None
        return DiscriminatorOutput(scores * (self._opinion.raised or 1), features)

    def pictures(self) -> Tensor | None:
        """The samples (N, C, H, W) of the last measurement; None where there are none."""
        return self._samples

    def _call_discriminator(self, arguments: Arguments, new: dict[Path, Tensor]) -> tuple[Any, Tensor | None]:
        """D's output, and the input (N, F) of its last layer with weights, if that has a row per image."""
        kept: list[Tensor] = []
        hooks = [
            module.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
            for module in self.discriminator.modules()
            if isinstance(module, WEIGHTED)
        ]
        n = len(next(iter(new.values())))
        positional, named = arguments.with_rows(new)
        try:
            output = self.discriminator.get_submodule(arguments.module)(*positional, **named)
        finally:
            for hook in hooks:
                hook.remove()
        return output, kept[-1].flatten(1) if kept and len(kept[-1]) == n else None

    def _generated(self, shifted: bool = False) -> Tensor | None:
        return self.inputs.generated(self.generator, self.images, shifted)

    def _labels_of_samples(self) -> Tensor | None:
        """The one input of G beside the latent that fits D's argument beside the images."""
        wanted = self._beside[0] if self._beside else {}
        if len(wanted) != 1:
            return None
        (example,) = wanted.values()
        fitting = [
            t
            for t in self.inputs.rows(self.images).values()
            if t.dtype == example.dtype and t.shape[1:] == example.shape[1:]
        ]
        return fitting[0] if len(fitting) == 1 else None

    def _labels_of_reals(self) -> Tensor | None:
        if not self._beside or len(self._beside[0]) != 1:
            return None
        (at,) = self._beside[0]
        return (
            torch.cat([beside[at] for beside in self._beside])[: self.images]
            if all(at in b for b in self._beside)
            else None
        )


def _stripped(call: DCall, view: View) -> tuple[DCall, View]:
    """What is needed to call D again in the same way, without images."""
    empty = View(view.at, view.part, view.images.new_empty(0), view.marks)
    return DCall(0, call.n, call.arguments.stripped(call.n), [], False, False, False, []), empty
