"""The probe: what samples and real images show when a record is due, of any G and D, without changing either.

A handful of images at fixed latents is compared with a handful of reals that stay the same, so that records compare.
`measure` is the one way to these numbers; a training of ours and a watched one each adapt their networks to `ProbedModel`.
N samples, R reals, C channels, H height, W width, A numbers of an image, F features of an image in D.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from ganglion.metrics.sliced_wasserstein import sliced_wasserstein
from ganglion.objectives.adversarial import per_image
from ganglion.objectives.losses import DiscriminatorOutput
from ganglion.vitals import sample_stats
from ganglion.vitals.inspection import counting_dead_units, differs_by_mode
from ganglion.vitals.scalars import separation

__all__ = [
    "PROBE_IMAGES",
    "LabelledImages",
    "LastStep",
    "ProbedModel",
    "ReferenceSet",
    "in_batches_of",
    "measure",
    "parameter_counts",
    "sample_statistics",
]

PROBE_IMAGES = 64
"""Images of each kind."""
PATCHES, DIRECTIONS = 16, 64  # of the distance: a quarter of what a snapshot's score takes
POOL = 4096  # training images among which the nearest is sought
POOL_SIDE = 8  # pixels: a copy is a copy at any size, and averages hide what a generator cannot draw
SHORTCUT = 0.9  # D's AUC below which no shortcut is looked for


class LabelledImages(NamedTuple):
    images: Tensor
    """Float (N, C, H, W) as D is shown them."""
    labels: Tensor | None = None
    """int64 (N,)"""


class LastStep(NamedTuple):
    """The last step before the record, as training had it; None for what was not seen."""

    real: Tensor | None
    """(N, C, H, W) at D's input; in `ganglion train` before augmentation."""
    fake: Tensor | None
    """(N, C, H, W) likewise."""
    generated: Tensor | None
    """(N, C, H, W) of G in train mode, before any augmentation."""
    inputs: tuple[Any, ...]
    """What G was called with: latents first."""


class ProbedModel(Protocol):
    """G and D as `measure` uses them. All but `reference` are called inside `inspecting`."""

    @property
    def generator(self) -> nn.Module: ...

    @property
    def discriminator(self) -> nn.Module: ...

    def inspecting(self) -> AbstractContextManager[Any]:
        """Eval mode and no gradients; afterwards everything is as it was."""

    def reference(self) -> ReferenceSet | None:
        """What samples are compared with; None while too few reals were seen."""

    def samples(self, shifted: bool = False) -> LabelledImages | None:
        """G's images at fixed latents; `shifted`: each with the latent of its neighbour and its own label."""

    def regenerate(self, inputs: tuple[Any, ...]) -> Tensor | None:
        """G's images (N, C, H, W) of these inputs."""

    def discriminate(self, images: LabelledImages) -> DiscriminatorOutput | None:
        """What D returns; None where D needs inputs that are not known."""


class ReferenceSet:
    """Real images that samples are compared with; made once, so that records compare."""

    def __init__(
        self, reals: LabelledImages, held_out: LabelledImages | None = None, pool: Tensor | None = None, seed: int = 0
    ) -> None:
        """`reals` and `held_out` are at most 64 images; `pool` holds training images in which copies are sought."""
        self.reals, self.held_out, self.seed = reals, held_out, seed
        rows = sample_stats.small(reals.images)
        self.spread = sample_stats.mean_distance(rows)
        self.rows = rows
        self.fine, self.contrast = sample_stats.fine_energy(reals.images), sample_stats.contrast(reals.images)
        self.saturation = sample_stats.saturation(reals.images)
        self.floor = self._floor()
        self.pool = None if pool is None else _coarse(pool)
        self.unseen = self._distances_of_unseen()

    def distance(self, samples: Tensor) -> float:
        """Sliced Wasserstein distance of samples (N, C, H, W) to as many reals, thousandths."""
        n = min(len(samples), len(self.reals.images))
        return _patches(self.reals.images[:n], samples[:n], self.seed)

    def _floor(self) -> float:
        """The same distance between two halves of the reals, on the scale of a whole set: noise falls with its root."""
        half = len(self.reals.images) // 2
        if half < 2:
            return float("nan")
        return _patches(self.reals.images[:half], self.reals.images[half : 2 * half], self.seed) / 2**0.5

    def _distances_of_unseen(self) -> Tensor | None:
        """How near images that G was not trained on lie to training images."""
        if self.pool is None or self.held_out is None:
            return None
        return sample_stats.nearest_distances(_coarse(self.held_out.images), self.pool)


@torch.no_grad()
def measure(model: ProbedModel, last: LastStep, d_auc: float | None = None) -> dict[str, Any]:
    """The numbers of a record that come from images; `d_auc` is D's AUC (`separation`) in training.

    What cannot be seen has no key; docs/runs.md says what each key means.
    """
    reference = model.reference()
    if reference is None:
        return {}
    with model.inspecting():
        with counting_dead_units(model.generator) as units_g:
            samples = model.samples()
        if samples is None or samples.images.shape[1:] != reference.reals.images.shape[1:]:
            return {}
        others = model.samples(shifted=True)
        found = _of_samples(reference, samples.images, others.images if others else samples.images)
        found |= _of_step(model, reference, last)
        with counting_dead_units(model.discriminator) as units_d:
            found |= _of_discriminator(model, reference, samples, d_auc)
    dead = {"dead_g": units_g.share(), "dead_d": units_d.share()}
    found |= {key: share for key, share in dead.items() if share is not None}
    return {key: value for key, value in found.items() if np.all(np.isfinite(value))}


def parameter_counts(model: ProbedModel) -> dict[str, int]:
    """`parameters_g` and `parameters_d`."""
    networks = {"parameters_g": model.generator, "parameters_d": model.discriminator}
    return {key: sum(weight.numel() for weight in network.parameters()) for key, network in networks.items()}


def sample_statistics(reference: ReferenceSet, samples: Tensor) -> dict[str, Any]:
    """What samples (N, C, H, W) look like by themselves, beside reals; a ratio to nothing has no key."""
    rows = sample_stats.small(samples)
    scalars = {
        "diversity": sample_stats.mean_distance(rows) / reference.spread,
        "duplicates": sample_stats.duplicates(rows, reference.rows),
        "saturation": sample_stats.saturation(samples),
        "saturation_real": reference.saturation,
        "contrast": sample_stats.contrast(samples) / reference.contrast,
        "fine": sample_stats.fine_energy(samples) / reference.fine,
    }
    values = zip(scalars, torch.stack(list(scalars.values())).tolist(), strict=True)
    return {key: value for key, value in values if np.isfinite(value)}


def _of_samples(reference: ReferenceSet, samples: Tensor, others: Tensor) -> dict[str, Any]:
    found = sample_statistics(reference, samples)
    apart = (sample_stats.small(samples) - sample_stats.small(others)).norm(dim=1).mean()
    found["z_response"] = float(apart / reference.spread)
    found |= {"swd": reference.distance(samples), "swd_floor": reference.floor}
    if reference.pool is not None and reference.unseen is not None:
        nearest = sample_stats.nearest_distances(_coarse(samples), reference.pool)
        found["nearest"] = float(separation(reference.unseen, nearest))  # the chance that an unseen real is further off
    return found


def _of_step(model: ProbedModel, reference: ReferenceSet, last: LastStep) -> dict[str, Any]:
    if last.real is None or last.fake is None or last.generated is None:
        return {}
    ranges = torch.stack([sample_stats.value_range(last.real), sample_stats.value_range(last.fake)]).tolist()
    found: dict[str, Any] = {"range_real": ranges[0], "range_fake": ranges[1]}
    again = model.regenerate(last.inputs) if differs_by_mode(model.generator) else None
    if again is not None and again.shape == last.generated.shape:
        apart = (sample_stats.small(last.generated) - sample_stats.small(again)).norm(dim=1).mean()
        found["train_eval"] = float(apart / reference.spread)
    return found


def _of_discriminator(
    model: ProbedModel, reference: ReferenceSet, samples: LabelledImages, d_auc: float | None
) -> dict[str, Any]:
    real, fake = model.discriminate(reference.reals), model.discriminate(samples)
    if real is None or fake is None:
        return {}
    found: dict[str, Any] = {}
    if real.features is not None and fake.features is not None:
        spread = sample_stats.mean_distance(real.features.float())
        found["diversity_seen"] = float(sample_stats.mean_distance(fake.features.float()) / spread)
    if reference.held_out is not None:
        few = min(len(reference.reals.images), len(reference.held_out.images))
        known, unseen = in_batches_of(few, model, reference.reals, real), in_batches_of(few, model, reference.held_out)
        found["held_out"] = float(separation(known, unseen))
    if d_auc is not None and d_auc > SHORTCUT:
        n = min(len(samples.images), len(reference.reals.images))
        borrowed = sample_stats.with_border_of(samples.images[:n], reference.reals.images[:n])
        framed = LabelledImages(borrowed, None if samples.labels is None else samples.labels[:n])
        known = in_batches_of(n, model, reference.reals, real)
        found["separation_eval"] = float(separation(known, in_batches_of(n, model, samples, fake)))
        found["separation_framed"] = float(separation(known, in_batches_of(n, model, framed)))
    return found


def in_batches_of(
    few: int, model: ProbedModel, images: LabelledImages, whole: DiscriminatorOutput | None = None
) -> Tensor:
    """D's logits (N,) on `images`, `few` at a time; `whole` is what it returned for all at once, if it was asked.

    D may compare the images of a batch (minibatch discrimination), so sets that are compared come in batches of one size.
    The last batch begins with images of the one before, to be as large as the others.
    """
    n, done = len(images.images), 0
    if whole is not None and few == n:
        return per_image(whole.logits.float())
    logits = []
    for first in (*range(0, n - few, few), n - few):
        part = slice(first, first + few)
        found = model.discriminate(
            LabelledImages(images.images[part], None if images.labels is None else images.labels[part])
        )
        if found is None:
            return torch.empty(0)
        logits.append(per_image(found.logits.float())[done - first :])
        done = first + few
    return torch.cat(logits)


def _coarse(images: Tensor) -> Tensor:
    """Rows of at most 8x8 means, (N, A)."""
    h, w = (min(POOL_SIDE, side) for side in images.shape[2:])
    return adaptive_avg_pool2d(images.float(), (h, w)).flatten(1)


def _patches(reals: Tensor, samples: Tensor, seed: int) -> float:
    return sliced_wasserstein(reals.float(), samples.float(), np.random.default_rng(seed), PATCHES, DIRECTIONS)
