"""The table of scores: name, direction, description, and how each is computed from a pair of image sets.

A score for which the images are not sufficient is left out with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganglion.errors import RecipeError
from ganglion.metrics.critic import earth_mover, fresh_critic
from ganglion.metrics.distances import extrapolated_distance, frechet_distance, kernel_distance, moments
from ganglion.metrics.diversity import class_balance, inception_score, ms_ssim_of_pairs
from ganglion.metrics.features import Extractor, Features, ImageSet
from ganglion.metrics.neighbours import copy_scores, prdc
from ganglion.metrics.sliced_wasserstein import sliced_wasserstein

__all__ = ["MEASURES", "SCORES", "ExtractedSet", "NotMeasurable", "Pair", "Score", "Value"]


NEIGHBOUR_IMAGES = 10_000
PATCH_IMAGES = 2048
COPY_IMAGES = 2000


class NotMeasurable(Exception):  # noqa: N818 (an outcome that is reported with the scores, not an error)
    """The reason why these images are not sufficient for a score."""


@dataclass(frozen=True)
class ExtractedSet:
    """A set of images and its features."""

    images: ImageSet
    output: Features

    def pick(self, chosen: NDArray[np.int64]) -> ExtractedSet:
        chosen = np.sort(chosen)  # a mapped file is read in its order
        kept = None if self.output.probabilities is None else self.output.probabilities[chosen]
        return ExtractedSet(self.images.pick(chosen), Features(self.output.features[chosen], kept))

    def at_most(self, n: int, random: np.random.Generator) -> ExtractedSet:
        return self if len(self.images) <= n else self.pick(random.permutation(len(self.images))[:n])


@dataclass(frozen=True)
class Pair:
    """The inputs of a score."""

    real: ExtractedSet
    fake: ExtractedSet
    unseen: ExtractedSet | None
    """Images that the generator was not trained on."""
    extractor: Extractor
    random: np.random.Generator
    say: Callable[[str], None]
    """Receives notes for the reader of a score."""
    known: NDArray[np.float32] | None = None
    """Features (K, A) of the training images that the extractor was trained on: they are used only to search for copies."""


class Value(NamedTuple):
    value: float
    error: float | None = None
    """Standard error, where the score estimates it."""


class Score(NamedTuple):
    measure: str
    """The key in MEASURES that computes it."""
    better: str
    """lower, higher, or the value of good samples."""
    about: str


SCORES: dict[str, Score] = {
    "fid": Score("frechet", "lower", "Fréchet distance of the features"),
    "fid-infinity": Score("extrapolated", "lower", "the same, extrapolated to infinitely many samples"),
    "kid": Score("kernel", "lower", "squared MMD of the features, unbiased"),
    "precision": Score("prdc", "higher", "share of samples within the real manifold"),
    "recall": Score("prdc", "higher", "share of real images within the samples' manifold"),
    "density": Score("prdc", "higher", "density of real neighbourhoods at the samples; real images have 1"),
    "coverage": Score("prdc", "higher", "share of real images with a sample nearby"),
    "swd": Score("patches", "lower", "sliced Wasserstein distance of patches, thousandths"),
    "ms-ssim": Score("similarity", "as the floor", "MS-SSIM of random pairs of samples; higher: less diverse"),
    "modes": Score("balance", "higher", "number of classes found"),
    "mode-divergence": Score("balance", "lower", "KL divergence of the classes' shares from the real ones, nats"),
    "nearer": Score(
        "copies", "0.5", "probability that a sample is nearer to training images than held-out ones; 1: copies"
    ),
    "near-copies": Score("copies", "0.01", "share of samples nearer to a training image than 99 % of held-out images"),
    "inception-score": Score("inception", "higher", "confidence and diversity of Inception's classes"),
    "earth-mover": Score(
        "critic", "lower", "estimate of a critic, trained on a part of the images, evaluated on another"
    ),
}
"""In the order of the output."""


def _frechet(pair: Pair) -> dict[str, Value]:
    _enough_for_a_covariance(pair)
    real, fake = moments(pair.real.output.features), moments(pair.fake.output.features)
    return {"fid": Value(frechet_distance(real, fake))}


def _extrapolated(pair: Pair) -> dict[str, Value]:
    _enough_for_a_covariance(pair)
    real = moments(pair.real.output.features)
    try:
        value = extrapolated_distance(real, np.asarray(pair.fake.output.features), pair.random)
    except ValueError as error:
        raise NotMeasurable(str(error)) from None
    return {"fid-infinity": Value(value)}


def _kernel(pair: Pair) -> dict[str, Value]:
    try:
        found = kernel_distance(pair.real.output.features, pair.fake.output.features, pair.random)
    except ValueError as error:
        raise NotMeasurable(str(error)) from None
    if found.block < 1000:
        pair.say(
            f"KID is the mean over {found.blocks} blocks of {found.block} images instead of 1,000, because there are few"
        )
    return {"kid": Value(found.value, found.error)}


def _prdc(pair: Pair) -> dict[str, Value]:
    count = min(len(pair.real.images), len(pair.fake.images), NEIGHBOUR_IMAGES)
    pair.say(f"precision, recall, density and coverage compare {count:,} images of each set")
    real, fake = (extracted.at_most(count, pair.random) for extracted in (pair.real, pair.fake))
    try:
        found = prdc(real.output.features, fake.output.features)
    except ValueError as error:
        raise NotMeasurable(str(error)) from None
    return {name: Value(value) for name, value in found._asdict().items()}


def _patches(pair: Pair) -> dict[str, Value]:
    count = min(len(pair.real.images), len(pair.fake.images), PATCH_IMAGES)
    real, fake = (extracted.at_most(count, pair.random).images for extracted in (pair.real, pair.fake))
    try:
        found = sliced_wasserstein(real, fake, pair.random)
    except ValueError as error:
        raise NotMeasurable(str(error)) from None
    pair.say(f"SWD compares {count:,} images of each set")
    return {"swd": Value(found)}


def _similarity(pair: Pair) -> dict[str, Value]:
    try:
        return {"ms-ssim": Value(ms_ssim_of_pairs(pair.fake.images, pair.random))}
    except ValueError as error:
        raise NotMeasurable(str(error)) from None


def _balance(pair: Pair) -> dict[str, Value]:
    real, fake = pair.real.output.probabilities, pair.fake.output.probabilities
    if real is None or fake is None or not pair.extractor.classes:
        raise NotMeasurable("the real images have no classes, or these features have no classifier")
    found = class_balance(real, fake)
    return {"modes": Value(found.found), "mode-divergence": Value(found.divergence)}


def _copies(pair: Pair) -> dict[str, Value]:
    held_out, training = pair.real.images.held_out, pair.real.output.features
    if held_out is not None:
        training = training[~held_out]
    candidates = len(training)
    if pair.known is not None:
        training = np.concatenate([training, pair.known])
    if candidates < 2:
        raise NotMeasurable(f"{len(training)} training images are too few to have neighbours")
    fake = pair.fake.at_most(COPY_IMAGES, pair.random)
    unseen = None if pair.unseen is None else pair.unseen.at_most(COPY_IMAGES, pair.random)
    pair.say(f"for copies, {len(fake.images):,} samples are compared with {len(training):,} training images")
    if unseen is None:
        pair.say(
            "no --held-out images: for copies, training images serve as held-out ones, each against all the others"
        )
    else:
        pair.say(f"for copies, the held-out images are {len(unseen.images):,} of {unseen.images.name}")
    held_out_features = None if unseen is None else unseen.output.features
    found = copy_scores(training, fake.output.features, held_out_features, pair.random, candidates)
    return {"nearer": Value(found.nearer), "near-copies": Value(found.near)}


def _inception(pair: Pair) -> dict[str, Value]:
    if pair.extractor.name != "inception" or pair.fake.output.probabilities is None:
        raise NotMeasurable("it needs --features inception")
    return {"inception-score": Value(inception_score(pair.fake.output.probabilities))}


def _critic(pair: Pair) -> dict[str, Value]:
    if min(len(pair.real.images), len(pair.fake.images)) < 2:
        raise NotMeasurable("a single image has no second half for the critic to be evaluated on")
    try:
        critic = fresh_critic(*pair.real.images.shape).to(pair.extractor.device)
    except RecipeError as error:
        raise NotMeasurable(str(error)) from None
    found = earth_mover(critic, pair.real.images, pair.fake.images, pair.random)
    if found.trained > 1.25 * found.value:
        pair.say(f"the critic estimates {found.trained:.3g} on its training images: it has overfitted")
    return {"earth-mover": Value(found.value)}


MEASURES: dict[str, Callable[[Pair], dict[str, Value]]] = {
    "frechet": _frechet,
    "extrapolated": _extrapolated,
    "kernel": _kernel,
    "prdc": _prdc,
    "patches": _patches,
    "similarity": _similarity,
    "balance": _balance,
    "copies": _copies,
    "inception": _inception,
    "critic": _critic,
}


def _enough_for_a_covariance(pair: Pair) -> None:
    count, width = min(len(pair.real.images), len(pair.fake.images)), pair.real.output.features.shape[1]
    if count <= width:
        raise NotMeasurable(f"{count} images are too few for the covariance of {width} features; KID has no such limit")
