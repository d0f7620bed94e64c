"""What samples and real images show when a record is due: diversity, distance, over-fitting, the difference of modes.

A handful of images at fixed latents is compared with a handful of reals that stay the same, so that records compare.
N samples, R reals, C channels, H height, W width, A numbers of an image, F features of an image in D."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from ganglion.metrics.sliced_wasserstein import sliced_wasserstein
from ganglion.vitals import sample_stats as looks
from ganglion.vitals.scalars import separation

__all__ = [
    "EXAMINED",
    "DeadUnits",
    "DiscriminatorOutput",
    "LabelledImages",
    "ReferenceSet",
    "Step",
    "counting_dead_units",
    "differs_by_mode",
    "examine",
    "in_batches_of",
    "in_eval_mode",
    "sample_statistics",
]


DIFFERENT = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


@contextmanager
def in_eval_mode(network: nn.Module) -> Iterator[None]:
    """While it lasts, `network` is in eval mode; each of its modules then gets its own mode back."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def differs_by_mode(network: nn.Module) -> bool:
    """Whether a layer of it does another thing in eval mode than in training."""
    return any(isinstance(layer, DIFFERENT) for layer in network.modules())


ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.SiLU, nn.ELU, nn.GELU, nn.PReLU, nn.SELU, nn.CELU, nn.Mish, nn.ReLU6)
STILL = 1e-4  # of the layer's own scale: a unit that varies by less carries nothing


class DeadUnits:
    """Collects, layer by layer, how many units stood still."""

    def __init__(self) -> None:
        self._dead: list[Tensor] = []
        self._units = 0

    def look(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        units = output.detach().float().flatten(2).transpose(1, 2).flatten(0, 1) if output.ndim > 2 else output.float()
        scale = units.square().mean().sqrt()  # units are (N * places, C)
        self._dead.append((units.std(0, correction=0) <= STILL * scale).sum())
        self._units += units.shape[1]

    def share(self) -> float | None:
        """Of all units that were seen, in [0, 1]; None where no layer was."""
        return float(torch.stack(self._dead).sum()) / self._units if self._units else None


@contextmanager
def counting_dead_units(network: nn.Module) -> Iterator[DeadUnits]:
    """While it lasts, every activation layer of `network` is looked at."""
    found = DeadUnits()
    hooks = [m.register_forward_hook(found.look) for m in network.modules() if isinstance(m, ACTIVATIONS)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


EXAMINED = 64
"""Images of each kind."""
PATCHES, DIRECTIONS = 16, 64  # of the distance: a quarter of what a snapshot's score takes
POOL = 4096  # training images among which the nearest is sought
POOL_SIDE = 8  # pixels: a copy is a copy at any size, and averages hide what a generator cannot draw
SHORTCUT = 0.9  # separation below which D has no shortcut to be looked for


class LabelledImages(NamedTuple):
    images: Tensor
    """Float (N, C, H, W) as D is shown them."""
    labels: Tensor | None = None
    """int64 (N,)"""


class DiscriminatorOutput(NamedTuple):
    """What D, in eval mode, says of images."""

    logits: Tensor
    """(N,)"""
    features: Tensor | None
    """(N, F), before its last layer; None where they cannot be seen."""


class Step(NamedTuple):
    """The last step before the record, as training had it."""

    real: Tensor
    """(N, C, H, W) as D gets them; in `ganglion train` before augmentation."""
    fake: Tensor
    """(N, C, H, W) likewise."""
    drawn: Tensor
    """(N, C, H, W) of G in train mode, before any augmentation."""
    again: Tensor | None
    """The same latents in eval mode; None where G has no such difference."""


class ReferenceSet:
    """What samples are held against; made once."""

    def __init__(
        self, reals: LabelledImages, held_out: LabelledImages | None = None, pool: Tensor | None = None, seed: int = 0
    ) -> None:
        """`reals` and `held_out` are at most 64 images; `pool` holds training images in which copies are sought."""
        self.reals, self.held_out, self.seed = reals, held_out, seed
        rows = looks.small(reals.images)
        self.spread = looks.mean_distance(rows)
        self.rows = rows
        self.fine, self.contrast = looks.fine_energy(reals.images), looks.contrast(reals.images)
        self.saturation = looks.saturation(reals.images)
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
        return looks.nearest_distances(_coarse(self.held_out.images), self.pool)


@torch.no_grad()
def examine(
    reference: ReferenceSet,
    samples: LabelledImages,
    others: Tensor,
    step: Step | None,
    judge: Callable[[LabelledImages], DiscriminatorOutput] | None,
    separated: float | None = None,
) -> dict[str, Any]:
    """The numbers of a record that come from images.

    `samples` are G's at fixed latents in eval mode, `others` (N, C, H, W) the same labels at other latents. `judge` is D in
    eval mode; `separated` its separation in training. What cannot be seen has no key; docs/runs.md says what each means.
    """
    found = _of_samples(reference, samples.images, others)
    if step is not None:
        found |= _of_step(reference, step)
    if judge is not None:
        found |= _of_judgement(reference, samples, judge, separated)
    return {key: value for key, value in found.items() if np.all(np.isfinite(value))}


def sample_statistics(reference: ReferenceSet, samples: Tensor) -> dict[str, Any]:
    """What samples (N, C, H, W) look like by themselves, beside reals; a ratio to nothing has no key."""
    rows = looks.small(samples)
    scalars = {
        "diversity": looks.mean_distance(rows) / reference.spread,
        "duplicates": looks.duplicates(rows, reference.rows),
        "saturation": looks.saturation(samples),
        "saturation_real": reference.saturation,
        "contrast": looks.contrast(samples) / reference.contrast,
        "fine": looks.fine_energy(samples) / reference.fine,
    }
    values = zip(scalars, torch.stack(list(scalars.values())).tolist(), strict=True)
    return {key: value for key, value in values if np.isfinite(value)}


def _of_samples(reference: ReferenceSet, samples: Tensor, others: Tensor) -> dict[str, Any]:
    found = sample_statistics(reference, samples)
    apart = (looks.small(samples) - looks.small(others)).norm(dim=1).mean()
    found["z_response"] = float(apart / reference.spread)
    found |= {"swd": reference.distance(samples), "swd_floor": reference.floor}
    if reference.pool is not None and reference.unseen is not None:
        nearest = looks.nearest_distances(_coarse(samples), reference.pool)
        found["nearest"] = float(separation(reference.unseen, nearest))  # the chance that an unseen real is further off
    return found


def _of_step(reference: ReferenceSet, step: Step) -> dict[str, Any]:
    ranges = torch.stack([looks.value_range(step.real), looks.value_range(step.fake)]).tolist()
    found: dict[str, Any] = {"range_real": ranges[0], "range_fake": ranges[1]}
    if step.again is not None:
        apart = (looks.small(step.drawn) - looks.small(step.again)).norm(dim=1).mean()
        found["train_eval"] = float(apart / reference.spread)
    return found


def _of_judgement(
    reference: ReferenceSet,
    samples: LabelledImages,
    judge: Callable[[LabelledImages], DiscriminatorOutput],
    separated: float | None,
) -> dict[str, Any]:
    real, fake = judge(reference.reals), judge(samples)  # features of single images, whatever the batch
    found: dict[str, Any] = {}
    if real.features is not None and fake.features is not None:
        spread = looks.mean_distance(real.features.float())
        found["diversity_seen"] = float(looks.mean_distance(fake.features.float()) / spread)
    if reference.held_out is not None:
        few = min(len(reference.reals.images), len(reference.held_out.images))
        known = in_batches_of(few, judge, reference.reals, real)
        found["held_out"] = float(separation(known, in_batches_of(few, judge, reference.held_out)))
    if separated is not None and separated > SHORTCUT:
        n = min(len(samples.images), len(reference.reals.images))
        borrowed = looks.with_border_of(samples.images[:n], reference.reals.images[:n])
        framed = LabelledImages(borrowed, None if samples.labels is None else samples.labels[:n])
        known = in_batches_of(n, judge, reference.reals, real)
        found["separation_eval"] = float(separation(known, in_batches_of(n, judge, samples, fake)))
        found["separation_framed"] = float(separation(known, in_batches_of(n, judge, framed)))
    return found


def in_batches_of(
    few: int,
    judge: Callable[[LabelledImages], DiscriminatorOutput],
    shown: LabelledImages,
    whole: DiscriminatorOutput | None = None,
) -> Tensor:
    """D's logits (N,) on `shown`, `few` images at a time, N at most; `whole` is what it said of all at once, if it was asked.

    D may compare the images of a batch (minibatch discrimination), so what is set against each other comes in batches of one
    size. The last batch goes back to images that were shown before, to be as large as the others.
    """
    n, done = len(shown.images), 0
    if whole is not None and few == n:
        return whole.logits.float()
    logits = []
    for first in (*range(0, n - few, few), n - few):
        part = slice(first, first + few)
        judged = judge(LabelledImages(shown.images[part], None if shown.labels is None else shown.labels[part]))
        logits.append(judged.logits.float()[done - first :])
        done = first + few
    return torch.cat(logits)


def _coarse(images: Tensor) -> Tensor:
    """Rows of at most 8x8 means, (N, A)."""
    h, w = (min(POOL_SIDE, side) for side in images.shape[2:])
    return adaptive_avg_pool2d(images.float(), (h, w)).flatten(1)


def _patches(reals: Tensor, samples: Tensor, seed: int) -> float:
    return sliced_wasserstein(reals.float(), samples.float(), np.random.default_rng(seed), PATCHES, DIRECTIONS)
