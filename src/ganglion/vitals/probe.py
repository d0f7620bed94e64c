"""The probe: measurements on samples and real images for a record, for any G and D, without side effects.

A few samples at fixed latents are compared with a few fixed reals, so that records are comparable.
All these numbers come from `measure`; `ganglion train` and `ganglion.watch` each adapt their networks to `ProbedModel`.
N samples, R reals, C channels, H height, W width, A values per image, F features of an image in D.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from ganglion.metrics.sliced_wasserstein import SlicedWasserstein
from ganglion.objectives.adversarial import per_image
from ganglion.objectives.losses import DiscriminatorOutput
from ganglion.vitals import sample_stats
from ganglion.vitals.inspection import count_dead_units, differs_by_mode
from ganglion.vitals.scalars import separation

__all__ = [
    "PROBE_IMAGES",
    "LabelledImages",
    "LastStep",
    "ProbedModel",
    "ReferenceSet",
    "logits_in_batches",
    "measure",
    "parameter_counts",
    "sample_statistics",
]

PROBE_IMAGES = 64
"""Images of each kind."""
PATCHES, DIRECTIONS = 16, 64  # of the SWD: a quarter of the defaults
POOL = 4096  # training images among which the nearest is searched
POOL_SIDE = 8  # pixels: copies remain copies at low resolution, where faults of the generator matter less
SHORTCUT = 0.9  # minimum AUC of D's logits for the check of a padding shortcut


class LabelledImages(NamedTuple):
    images: Tensor
    """Float (N, C, H, W), as D's input."""
    labels: Tensor | None = None
    """Classes int64 (N,), or condition vectors float32 (N, K)."""


class LastStep(NamedTuple):
    """Tensors of the last training step before the record; None where not available."""

    real: Tensor | None
    """(N, C, H, W) at D's input; in `ganglion train` before augmentation."""
    fake: Tensor | None
    """(N, C, H, W) likewise."""
    generated: Tensor | None
    """(N, C, H, W) of G in train mode, before any augmentation."""
    inputs: tuple[Any, ...]
    """The inputs of G: latents first."""


class ProbedModel(Protocol):
    """Interface of G and D for `measure`. All methods but `reference` are called inside `inspecting`."""

    @property
    def generator(self) -> nn.Module: ...

    @property
    def discriminator(self) -> nn.Module: ...

    def inspecting(self) -> AbstractContextManager[Any]:
        """Context with eval mode and without gradients; restores all state afterwards."""

    def reference(self) -> ReferenceSet | None:
        """The reals that samples are compared with; None while there are too few."""

    def samples(self, shifted: bool = False) -> LabelledImages | None:
        """G's images at fixed latents; `shifted`: each with the latent of its neighbour and its own label."""

    def regenerate(self, inputs: tuple[Any, ...]) -> Tensor | None:
        """G's images for these inputs, or for the first of them (n, C, H, W)."""

    def discriminate(self, images: LabelledImages) -> DiscriminatorOutput | None:
        """D's output; None where D needs inputs that are not available."""


class ReferenceSet:
    """Fixed real images that samples are compared with, so that records are comparable."""

    def __init__(
        self, reals: LabelledImages, held_out: LabelledImages | None = None, pool: Iterable[Tensor] = (), seed: int = 0
    ) -> None:
        """`reals` and `held_out` are at most 64 images; `pool`, in chunks, are training images among which copies
        are searched."""
        self.reals, self.held_out, self.seed = reals, held_out, seed
        self._distances = sample_stats.pairwise(sample_stats.downsampled(reals.images))
        self.spread = sample_stats.mean_distance(self._distances)
        self.fine, self.contrast = sample_stats.fine_energy(reals.images), sample_stats.contrast(reals.images)
        self.saturation = sample_stats.saturation(reals.images)
        self.checkerboard = sample_stats.checkerboard_energy(reals.images)
        self._to_reals: dict[int, SlicedWasserstein] = {}
        self.floor = self._floor()
        chunks = [_coarse(images) for images in pool]
        self.pool = torch.cat(chunks) if chunks else None
        self.unseen = self._distances_of_unseen()

    def distance(self, samples: Tensor) -> float:
        """Sliced Wasserstein distance of samples (N, C, H, W) to as many reals, thousandths."""
        n = min(len(samples), len(self.reals.images))
        if n not in self._to_reals:
            self._to_reals = {n: _patches(self.reals.images[:n], self.seed)}
        return self._to_reals[n].to(samples[:n].float())

    def usual_distance(self, n: int) -> Tensor:
        """The median distance to the nearest other one among n reals."""
        return sample_stats.nearest_others(self._distances[:n, :n]).median()

    def _floor(self) -> float:
        """The same distance between two halves of the reals, divided by sqrt(2), since noise falls with the root of n."""
        half = len(self.reals.images) // 2
        if half < 2:
            return float("nan")
        return _patches(self.reals.images[:half], self.seed).to(self.reals.images[half : 2 * half].float()) / 2**0.5

    def _distances_of_unseen(self) -> Tensor | None:
        """Distances of held-out images to the nearest training images."""
        if self.pool is None or self.held_out is None:
            return None
        return sample_stats.nearest_distances(_coarse(self.held_out.images), self.pool)


@torch.no_grad()
def measure(model: ProbedModel, last: LastStep, d_auc: float | None = None) -> dict[str, Any]:
    """The numbers of a record that come from images; `d_auc` is the AUC of D's logits (`separation`) in training.

    Values that cannot be measured have no key; docs/runs.md documents the keys.
    """
    reference = model.reference()
    if reference is None:
        return {}
    with model.inspecting():
        with count_dead_units(model.generator) as units_g:
            samples = model.samples()
        if samples is None or samples.images.shape[1:] != reference.reals.images.shape[1:]:
            return {}
        others = model.samples(shifted=True)
        found = _of_samples(reference, samples.images, others.images if others else samples.images)
        found |= _of_step(model, reference, last)
        with count_dead_units(model.discriminator) as units_d:
            found |= _of_discriminator(model, reference, samples, d_auc)
    dead = {"dead_g": units_g.share(), "dead_d": units_d.share()}
    found |= {key: share for key, share in dead.items() if share is not None}
    return {key: value for key, value in found.items() if np.all(np.isfinite(value))}


def parameter_counts(model: ProbedModel) -> dict[str, int]:
    """`parameters_g` and `parameters_d`."""
    networks = {"parameters_g": model.generator, "parameters_d": model.discriminator}
    return {key: sum(weight.numel() for weight in network.parameters()) for key, network in networks.items()}


def sample_statistics(reference: ReferenceSet, samples: Tensor) -> dict[str, Any]:
    """Statistics of samples (N, C, H, W) relative to the reals; values that are not finite have no key."""
    distances = sample_stats.pairwise(sample_stats.downsampled(samples))
    scalars = {
        "diversity": sample_stats.mean_distance(distances) / reference.spread,
        "duplicates": sample_stats.duplicates(distances, reference.usual_distance(len(samples))),
        "saturation": sample_stats.saturation(samples),
        "saturation_real": reference.saturation,
        "contrast": sample_stats.contrast(samples) / reference.contrast,
        "fine": sample_stats.fine_energy(samples) / reference.fine,
        "checkerboard": sample_stats.checkerboard_energy(samples) / reference.checkerboard,
    }
    values = zip(scalars, torch.stack(list(scalars.values())).tolist(), strict=True)
    return {key: value for key, value in values if np.isfinite(value)}


def _of_samples(reference: ReferenceSet, samples: Tensor, others: Tensor) -> dict[str, Any]:
    found = sample_statistics(reference, samples)
    apart = (sample_stats.downsampled(samples) - sample_stats.downsampled(others)).norm(dim=1).mean()
    found["z_response"] = float(apart / reference.spread)
    found |= {"swd": reference.distance(samples), "swd_floor": reference.floor}
    if reference.pool is not None and reference.unseen is not None:
        nearest = sample_stats.nearest_distances(_coarse(samples), reference.pool)
        found["nearest"] = float(
            separation(reference.unseen, nearest)
        )  # probability that a held-out real is further away
    return found


def _of_step(model: ProbedModel, reference: ReferenceSet, last: LastStep) -> dict[str, Any]:
    if last.real is None or last.fake is None or last.generated is None:
        return {}
    ranges = torch.stack([sample_stats.value_range(last.real), sample_stats.value_range(last.fake)]).tolist()
    found: dict[str, Any] = {"range_real": ranges[0], "range_fake": ranges[1]}
    again = model.regenerate(last.inputs) if differs_by_mode(model.generator) else None
    if again is not None and again.shape == (few := last.generated[: len(again)]).shape:
        apart = (sample_stats.downsampled(few) - sample_stats.downsampled(again)).norm(dim=1).mean()
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
        apart, spread = (
            sample_stats.mean_distance(sample_stats.pairwise(features.float()))
            for features in (fake.features, real.features)
        )
        found["diversity_seen"] = float(apart / spread)
    if reference.held_out is not None:
        few = min(len(reference.reals.images), len(reference.held_out.images))
        known, unseen = (
            logits_in_batches(few, model, reference.reals, real),
            logits_in_batches(few, model, reference.held_out),
        )
        found["held_out"] = float(separation(known, unseen))
    if d_auc is not None and d_auc > SHORTCUT:
        n = min(len(samples.images), len(reference.reals.images))
        borrowed = sample_stats.with_border_of(samples.images[:n], reference.reals.images[:n])
        framed = LabelledImages(borrowed, None if samples.labels is None else samples.labels[:n])
        known = logits_in_batches(n, model, reference.reals, real)
        found["separation_eval"] = float(separation(known, logits_in_batches(n, model, samples, fake)))
        found["separation_framed"] = float(separation(known, logits_in_batches(n, model, framed)))
    return found


def logits_in_batches(
    few: int, model: ProbedModel, images: LabelledImages, whole: DiscriminatorOutput | None = None
) -> Tensor:
    """D's logits (N,) on `images` in batches of `few`; `whole` is its output on all of them, if already computed.

    D may compare the images of a batch (minibatch discrimination), so the sets that are compared need batches of one size.
    The last batch overlaps with the one before, to be as large as the others.
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


def _patches(reals: Tensor, seed: int) -> SlicedWasserstein:
    return SlicedWasserstein(reals.float(), np.random.default_rng(seed), PATCHES, DIRECTIONS)
