"""Does the right score react to the right fault, and more to more of it? Real images, spoilt as benchmarks/corruptions.py does.

Digits are gray; crops of the two photographs that come with scikit-learn have colour. What a score is known to be blind to
is held here, too: docs/metrics.md tells it to the reader.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache as once
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images
from sklearn.neighbors import KNeighborsClassifier

from ganglion.data.pixels import to_float
from ganglion.metrics.features import Extractor, Features, array_set
from ganglion.metrics.scores import MEASURES, SCORES, ExtractedSet, Pair
from ganglion.metrics.untrained import pixel_extractor, random_extractor

CPU = torch.device("cpu")
SIDE, COUNT, PATCHED = 16, 500, 150
KINDS = ("digits", "photographs")

Pixels = NDArray[np.uint8]


def benchmark(name: str) -> ModuleType:
    """Benchmarks are scripts in a folder of their own, no package."""
    path = Path(__file__).parents[2] / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


spoilt = benchmark("corruptions")

FAULTS: dict[str, list[Callable[[Pixels], Pixels]]] = {
    "blur": [lambda images, radius=radius: spoilt.blurred(images, radius) for radius in (1, 2)],
    "noise": [lambda images, deviation=deviation: spoilt.noisy(images, deviation) for deviation in (24, 48)],
    "colour": [lambda images, share=share: spoilt.darker(images, share) for share in (0.2, 0.4)],  # gray: brightness
}


@dataclass(frozen=True)
class Bench:
    """Three parts of one kind of images, `fresh` of which play the samples, and features of the first and the last."""

    training: Pixels
    fresh: Pixels
    unseen: Pixels
    labels: NDArray[np.int64] | None
    """(N,) of `fresh`."""
    extractor: Extractor
    known: dict[str, ExtractedSet] = field(default_factory=dict)

    def look(self, images: Pixels) -> ExtractedSet:
        found = array_set("some", images)
        if found.content not in self.known:
            seen = self.extractor.embed(to_float(torch.from_numpy(images)).contiguous())
            self.known[found.content] = ExtractedSet(found, Features(seen.features.numpy(), None))
        return self.known[found.content]

    def scores(self, measure: str, fake: Pixels, unseen: bool = True) -> dict[str, float]:
        few = slice(PATCHED if measure == "patches" else None)  # patches are slow
        real, fakes, new = (self.look(part[few]) for part in (self.training, fake, self.unseen))
        pair = Pair(real, fakes, new if unseen else None, self.extractor, np.random.default_rng(0), lambda text: None)
        return {name: found.value for name, found in MEASURES[measure](pair).items()}

    def over(self, score: str, sets: Sequence[Pixels]) -> list[float]:
        """A score of each set, of the undisturbed images first."""
        return [self.scores(SCORES[score].measure, fake)[score] for fake in (self.fresh, *sets)]


@once
def bench(kind: str, features: str = "random") -> Bench:
    random = np.random.default_rng(0)
    images, labels = digits() if kind == "digits" else (photographs(random), None)
    training, fresh, unseen = np.split(random.permutation(len(images))[: 3 * COUNT], 3)
    extractor = pixel_extractor(CPU) if features == "pixels" else random_extractor(images.shape[3], CPU)
    return Bench(images[training], images[fresh], images[unseen], None if labels is None else labels[fresh], extractor)


def digits() -> tuple[Pixels, NDArray[np.int64]]:
    """1,797 handwritten digits, at twice their size."""
    found = load_digits()
    levels = (found.images * 255 / 16).astype(np.uint8)
    larger = [np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.LANCZOS)) for image in levels]
    return np.stack(larger)[..., None], found.target


def photographs(random: np.random.Generator) -> Pixels:
    """Squares of 32 pixels at any place of the two photographs, at half their size."""
    pictures = np.stack(load_sample_images().images)  # (2, H, W, 3)
    count, side = 3 * COUNT, 2 * SIDE
    corners = (random.integers(0, high, count) for high in (2, pictures.shape[1] - side, pictures.shape[2] - side))
    squares = np.stack([pictures[which, y : y + side, x : x + side] for which, y, x in zip(*corners, strict=True)])
    return squares.reshape(count, SIDE, 2, SIDE, 2, 3).mean((2, 4)).round().astype(np.uint8)


@once
def spoilt_sets(kind: str, fault: str) -> list[Pixels]:
    return [spoil(bench(kind).fresh) for spoil in FAULTS[fault]]


def without_classes(lost: int) -> Pixels:
    """Digits from `lost` upwards, as many images as before."""
    base = bench("digits")
    left = base.fresh[base.labels >= lost]
    return left[np.arange(COUNT) % len(left)]


def repeated(kind: str, distinct: int) -> Pixels:
    return bench(kind).fresh[np.arange(COUNT) % distinct]


def copied(kind: str, share: float) -> Pixels:
    """This share of training images, and new ones."""
    base, count = bench(kind), int(share * COUNT)
    return np.concatenate([base.training[:count], base.fresh[count:]])


def rises(values: Sequence[float]) -> bool:
    return all(b > a for a, b in pairwise(values))


# Distances see every fault of the picture


@pytest.mark.parametrize("score", ["fid", "kid", "swd"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_distances_rise_with_each_step_of_blur_noise_and_colour(kind: str, fault: str, score: str) -> None:
    assert rises(bench(kind).over(score, spoilt_sets(kind, fault)))


@pytest.mark.parametrize("fault", FAULTS)
def test_the_extrapolated_distance_does_too(fault: str) -> None:
    assert rises(bench("digits", "pixels").over("fid-infinity", spoilt_sets("digits", fault)))


@pytest.mark.parametrize("score", ["fid", "kid", "swd"])
def test_distances_rise_as_classes_are_lost(score: str) -> None:
    assert rises(bench("digits").over(score, [without_classes(lost) for lost in (3, 7)]))


# Precision sees bad samples; recall and coverage, what is missing


@pytest.mark.parametrize("kind", KINDS)
def test_noise_costs_precision_and_hardly_recall(kind: str) -> None:
    found = [bench(kind).scores("prdc", fake) for fake in (bench(kind).fresh, *spoilt_sets(kind, "noise"))]
    assert rises([-one["precision"] for one in found])
    assert rises([-one["density"] for one in found])
    lost = found[0]["precision"] - found[-1]["precision"]
    assert lost > 0.5
    assert abs(found[0]["recall"] - found[-1]["recall"]) < lost / 5


def test_lost_classes_cost_recall_and_coverage_and_hardly_precision() -> None:
    found = [bench("digits").scores("prdc", without_classes(lost)) for lost in (0, 1, 3, 7)]
    for name in ("recall", "coverage"):
        assert rises([-one[name] for one in found])
        assert found[-1][name] < found[0][name] / 2
    assert all(abs(one["precision"] - found[0]["precision"]) < 0.05 for one in found)


@pytest.mark.parametrize("kind", KINDS)
def test_few_images_over_and_over_cost_recall_and_coverage_more_than_precision(kind: str) -> None:
    whole, few = (bench(kind).scores("prdc", repeated(kind, distinct)) for distinct in (COUNT, 10))
    assert whole["precision"] - few["precision"] < 0.2
    assert min(whole[name] - few[name] for name in ("recall", "coverage")) > 0.7


def test_classes_that_are_lost_are_counted() -> None:
    """By a classifier of the nearest neighbour in the place of a network."""
    base = bench("digits")
    pixels, labels = digits()
    judge = KNeighborsClassifier(1).fit(pixels.reshape(len(pixels), -1), labels)
    knowing = Extractor("judge", "0", "", base.extractor.embed, CPU, tuple("0123456789"))

    def told(images: Pixels) -> ExtractedSet:
        probabilities = judge.predict_proba(images.reshape(len(images), -1)).astype(np.float32)
        return ExtractedSet(array_set("some", images), Features(probabilities, probabilities))

    found = []
    for lost in (0, 1, 3, 7):
        pair = Pair(
            told(base.training), told(without_classes(lost)), None, knowing, np.random.default_rng(0), lambda text: None
        )
        found.append({name: value.value for name, value in MEASURES["balance"](pair).items()})
    assert [one["modes"] for one in found] == [10, 9, 7, 3]
    assert rises([one["mode-divergence"] for one in found])


# Copies and duplicates


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unseen", [True, False])
def test_copies_of_training_images_are_noticed_and_new_images_are_not(kind: str, unseen: bool) -> None:
    found = [bench(kind).scores("copies", copied(kind, share), unseen) for share in (0, 0.3, 1)]
    assert found[0]["nearer"] == pytest.approx(0.5, abs=0.05)
    assert found[0]["near-copies"] < 0.05
    for name in ("nearer", "near-copies"):
        assert rises([one[name] for one in found])
        assert found[-1][name] > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_the_fewer_different_samples_the_more_alike_they_are(kind: str) -> None:
    assert rises(bench(kind).over("ms-ssim", [repeated(kind, distinct) for distinct in (5, 2)]))


# What they are blind to


def test_copies_please_every_score_that_does_not_look_for_them() -> None:
    new, copies = (
        bench("digits").scores("frechet", fake) | bench("digits").scores("prdc", fake)
        for fake in (bench("digits").fresh, bench("digits").training)
    )
    assert copies["fid"] < new["fid"] / 100
    assert min(copies["precision"], copies["recall"], copies["coverage"]) == 1


def test_copies_under_noise_are_no_copies() -> None:
    hidden = spoilt.noisy(bench("digits").training, 48)
    assert bench("digits").scores("copies", hidden)["nearer"] < 0.2


def test_precision_and_density_forgive_blurred_photographs_and_recall_does_not() -> None:
    sharp, blurred = (
        bench("photographs").scores("prdc", fake)
        for fake in (bench("photographs").fresh, spoilt_sets("photographs", "blur")[-1])
    )
    assert blurred["precision"] > sharp["precision"]
    assert blurred["density"] > sharp["density"]
    assert blurred["recall"] < sharp["recall"] - 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_likeness_takes_noise_for_diversity(kind: str) -> None:
    assert rises([-value for value in bench(kind).over("ms-ssim", spoilt_sets(kind, "noise"))])
