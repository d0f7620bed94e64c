"""The table of scores: what each is called, which way is better, and how it is computed from a pair of image sets.

To be refused is part of it: a score that these images cannot support is left out with the reason, never printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ganglion.data.pixels import to_float
from ganglion.errors import RecipeError
from ganglion.metrics.critic import earth_mover, fresh_critic
from ganglion.metrics.distances import extrapolated_distance, frechet_distance, kernel_distance, moments
from ganglion.metrics.diversity import class_balance, inception_score, likeness
from ganglion.metrics.features import Extractor, Features, ImageSet
from ganglion.metrics.neighbours import copying, overlap
from ganglion.metrics.sliced_wasserstein import sliced_wasserstein

__all__ = ["MEASURES", "SCORES", "ExtractedSet", "NotMeasurable", "Pair", "Score", "Value"]


NEIGHBOUR_IMAGES = 10_000
PATCH_IMAGES = 2048
COPY_IMAGES = 2000


class NotMeasurable(Exception):  # noqa: N818 (an outcome that is written down beside the scores, not an error)
    """Why these images cannot support a score."""


@dataclass(frozen=True)
class ExtractedSet:
    """A set of images and what the extractor sees in it."""

    images: ImageSet
    seen: Features

    def pick(self, chosen: NDArray[np.int64]) -> ExtractedSet:
        chosen = np.sort(chosen)  # a mapped file is read in its order
        kept = None if self.seen.probabilities is None else self.seen.probabilities[chosen]
        return ExtractedSet(self.images.pick(chosen), Features(self.seen.features[chosen], kept))

    def at_most(self, n: int, random: np.random.Generator) -> ExtractedSet:
        return self if len(self.images) <= n else self.pick(random.permutation(len(self.images))[:n])


@dataclass(frozen=True)
class Pair:
    """What a score may look at."""

    real: ExtractedSet
    fake: ExtractedSet
    unseen: ExtractedSet | None
    """Images that the generator was not trained on."""
    extractor: Extractor
    random: np.random.Generator
    say: Callable[[str], None]
    """For what the reader of a score has to know."""
    known: NDArray[np.float32] | None = None
    """Features (K, A) of the training images that the extractor was trained on: only copies are sought among them."""


class Value(NamedTuple):
    value: float
    error: float | None = None
    """Standard error, where the score knows it."""


class Score(NamedTuple):
    measure: str
    """Which of the measures below it comes from."""
    better: str
    """lower, higher, or the value that good samples have."""
    about: str


SCORES: dict[str, Score] = {
    "fid": Score("frechet", "lower", "Fréchet distance of the features"),
    "fid-infinity": Score("extrapolated", "lower", "the same, extrapolated to infinitely many samples"),
    "kid": Score("kernel", "lower", "kernel distance of the features, unbiased for few images"),
    "precision": Score("overlap", "higher", "samples that lie among the real images"),
    "recall": Score("overlap", "higher", "real images that lie among the samples"),
    "density": Score("overlap", "higher", "how deep samples lie among the real images; 1 as real ones do"),
    "coverage": Score("overlap", "higher", "real images with a sample nearby"),
    "swd": Score("patches", "lower", "sliced Wasserstein distance of patches, thousandths"),
    "ms-ssim": Score("likeness", "as the floor", "likeness of samples among themselves; higher: less diverse"),
    "modes": Score("balance", "higher", "classes found"),
    "mode-divergence": Score("balance", "lower", "of the classes' shares from the real ones, nats"),
    "nearer": Score("copies", "0.5", "chance to lie nearer to training images than an unseen one; 1: copies"),
    "near-copies": Score("copies", "0.01", "samples as near to a training image as only 1 % of unseen ones"),
    "inception-score": Score("inception", "higher", "sure and varied classes, by Inception"),
    "earth-mover": Score("critic", "lower", "found by a critic trained on these images, read off on held-out ones"),
}
"""In the order in which they are shown."""


def _frechet(pair: Pair) -> dict[str, Value]:
    _enough_for_a_covariance(pair)
    real, fake = moments(pair.real.seen.features), moments(pair.fake.seen.features)
    return {"fid": Value(frechet_distance(real, fake))}


def _extrapolated(pair: Pair) -> dict[str, Value]:
    _enough_for_a_covariance(pair)
    real = moments(pair.real.seen.features)
    return {"fid-infinity": Value(extrapolated_distance(real, np.asarray(pair.fake.seen.features), pair.random))}


def _kernel(pair: Pair) -> dict[str, Value]:
    try:
        found = kernel_distance(pair.real.seen.features, pair.fake.seen.features, pair.random)
    except ValueError as error:
        raise NotMeasurable(str(error)) from None
    if found.block < 1000:
        pair.say(
            f"KID is the mean over {found.blocks} blocks of {found.block} images instead of 1,000: there are few images"
        )
    return {"kid": Value(found.value, found.error)}


def _overlap(pair: Pair) -> dict[str, Value]:
    count = min(len(pair.real.images), len(pair.fake.images), NEIGHBOUR_IMAGES)
    pair.say(f"precision, recall, density and coverage compare {count:,} images of each set")
    real, fake = (extracted.at_most(count, pair.random) for extracted in (pair.real, pair.fake))
    try:
        found = overlap(real.seen.features, fake.seen.features)
    except ValueError as error:
        raise NotMeasurable(str(error)) from None
    return {name: Value(value) for name, value in found._asdict().items()}


def _patches(pair: Pair) -> dict[str, Value]:
    count = min(len(pair.real.images), len(pair.fake.images), PATCH_IMAGES)
    real, fake = (
        to_float(torch.from_numpy(np.array(extracted.at_most(count, pair.random).images.images)))
        for extracted in (pair.real, pair.fake)
    )
    pair.say(f"SWD compares {count:,} images of each set")
    return {"swd": Value(sliced_wasserstein(real, fake, pair.random))}


def _likeness(pair: Pair) -> dict[str, Value]:
    try:
        return {"ms-ssim": Value(likeness(pair.fake.images.images, pair.random))}
    except ValueError as error:
        raise NotMeasurable(str(error)) from None


def _balance(pair: Pair) -> dict[str, Value]:
    real, fake = pair.real.seen.probabilities, pair.fake.seen.probabilities
    if real is None or fake is None or not pair.extractor.classes:
        raise NotMeasurable("the real images have no classes, or these features know none")
    found = class_balance(real, fake)
    return {"modes": Value(found.found), "mode-divergence": Value(found.divergence)}


def _copies(pair: Pair) -> dict[str, Value]:
    held_out, training = pair.real.images.held_out, pair.real.seen.features
    if held_out is not None:
        training = training[~held_out]
    candidates = len(training)
    if pair.known is not None:
        training = np.concatenate([training, pair.known])
    if candidates < 2:
        raise NotMeasurable(f"{len(training)} training images are too few to have neighbours")
    fake = pair.fake.at_most(COPY_IMAGES, pair.random)
    unseen = None if pair.unseen is None else pair.unseen.at_most(COPY_IMAGES, pair.random)
    pair.say(f"for copies, {len(fake.images):,} samples are held against {len(training):,} training images")
    if unseen is None:
        pair.say("no --held-out images: for copies, training images stand for unseen ones, each against all the others")
    else:
        pair.say(f"for copies, the unseen images are {len(unseen.images):,} of {unseen.images.name}")
    yardstick = None if unseen is None else unseen.seen.features
    found = copying(training, fake.seen.features, yardstick, pair.random, candidates)
    return {"nearer": Value(found.nearer), "near-copies": Value(found.near)}


def _inception(pair: Pair) -> dict[str, Value]:
    if pair.extractor.name != "inception" or pair.fake.seen.probabilities is None:
        raise NotMeasurable("it needs --features inception")
    return {"inception-score": Value(inception_score(pair.fake.seen.probabilities))}


def _critic(pair: Pair) -> dict[str, Value]:
    try:
        critic = fresh_critic(*pair.real.images.shape)
    except RecipeError as error:
        raise NotMeasurable(str(error)) from None
    found = earth_mover(critic, pair.real.images.images, pair.fake.images.images)
    if found.trained > 1.25 * found.value:
        pair.say(f"the critic finds {found.trained:.3g} on the images it was trained on: it has learnt some by heart")
    return {"earth-mover": Value(found.value)}


MEASURES: dict[str, Callable[[Pair], dict[str, Value]]] = {
    "frechet": _frechet,
    "extrapolated": _extrapolated,
    "kernel": _kernel,
    "overlap": _overlap,
    "patches": _patches,
    "likeness": _likeness,
    "balance": _balance,
    "copies": _copies,
    "inception": _inception,
    "critic": _critic,
}


def _enough_for_a_covariance(pair: Pair) -> None:
    count, width = min(len(pair.real.images), len(pair.fake.images)), pair.real.seen.features.shape[1]
    if count <= width:
        raise NotMeasurable(f"{count} images are too few for the covariance of {width} features; KID has no such limit")
