from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion.metrics.distances import frechet_distance, moments
from ganglion.metrics.features import Extractor, ExtractorOutput, Features, ImageSet, array_set
from ganglion.metrics.scores import MEASURES, SCORES, ExtractedSet, NotMeasurable, Pair

EXTRACTOR = Extractor("test", "0", "", lambda images: ExtractorOutput(images.flatten(1), None), torch.device("cpu"))


def look(n: int, seed: int, shift: float = 0.0, classes: int = 0, width: int = 4) -> ExtractedSet:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (n, 16, 16, 1), np.uint8)
    features = random.normal(shift, 1, (n, width)).astype(np.float32)
    probabilities = np.eye(classes, dtype=np.float32)[random.integers(0, classes, n)] if classes else None
    return ExtractedSet(array_set(f"set {seed}", images), Features(features, probabilities))


class Notes:
    def __init__(self) -> None:
        self.said: list[str] = []


def pair(
    real: ExtractedSet,
    fake: ExtractedSet,
    unseen: ExtractedSet | None = None,
    notes: Notes | None = None,
    **changes: object,
) -> Pair:
    extractor = Extractor(**{**EXTRACTOR.__dict__, **changes})
    say = notes.said.append if notes else lambda text: None
    return Pair(real, fake, unseen, extractor, np.random.default_rng(0), say)


def test_every_score_comes_from_a_measure_and_every_measure_serves_one():
    assert {score.measure for score in SCORES.values()} == set(MEASURES)
    assert {score.better for score in SCORES.values()} <= {"lower", "higher", "as the floor", "0.5", "0.01"}


def test_every_score_is_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in SCORES)


def test_the_frechet_distance_is_that_of_all_features():
    real, fake = look(300, 0), look(200, 1, 0.5)
    expected = frechet_distance(moments(real.output.features), moments(fake.output.features))
    assert MEASURES["frechet"](pair(real, fake))["fid"].value == expected


@pytest.mark.parametrize("measure", ["frechet", "extrapolated"])
def test_fewer_images_than_features_support_no_covariance(measure):
    with pytest.raises(NotMeasurable, match="20 images are too few for the covariance of 20 features; KID"):
        MEASURES[measure](pair(look(300, 0, width=20), look(20, 1, width=20)))


def test_few_images_make_small_blocks_and_it_says_so():
    notes = Notes()
    MEASURES["kernel"](pair(look(300, 0), look(200, 1), notes=notes))
    assert notes.said == ["KID is the mean over 10 blocks of 20 images instead of 1,000, because there are few"]


def test_too_few_images_for_a_kernel_distance_or_neighbours_are_no_score():
    with pytest.raises(NotMeasurable, match="at least 20 images"):
        MEASURES["kernel"](pair(look(300, 0), look(10, 1)))
    with pytest.raises(NotMeasurable, match="at least 6 images"):
        MEASURES["prdc"](pair(look(300, 0), look(5, 1)))


def test_neighbours_are_counted_among_equally_many_of_each():
    notes = Notes()
    found = MEASURES["prdc"](pair(look(300, 0), look(100, 1), notes=notes))
    assert list(found) == ["precision", "recall", "density", "coverage"]
    assert notes.said == ["precision, recall, density and coverage compare 100 images of each set"]


def test_classes_need_an_extractor_that_knows_some():
    assert (
        MEASURES["balance"](pair(look(300, 0, classes=3), look(100, 1, classes=3), classes=("a", "b", "c")))[
            "modes"
        ].value
        == 3
    )
    with pytest.raises(NotMeasurable, match="no classes"):
        MEASURES["balance"](pair(look(300, 0), look(100, 1)))


def test_copies_are_held_against_unseen_images_where_there_are_some():
    real, notes = look(300, 0), Notes()
    copied = MEASURES["copies"](pair(real, real, look(100, 2), notes))
    new = MEASURES["copies"](pair(real, look(300, 1), look(100, 2)))
    assert copied["nearer"].value == 1
    assert new["nearer"].value == pytest.approx(0.5, abs=0.1)
    assert notes.said == [
        "for copies, 300 samples are compared with 300 training images",
        "for copies, the held-out images are 100 of set 2",
    ]


def test_one_training_image_has_no_neighbours():
    with pytest.raises(NotMeasurable, match="1 training images are too few"):
        MEASURES["copies"](pair(look(1, 0), look(30, 1)))


def test_the_inception_score_is_for_inception_alone():
    with pytest.raises(NotMeasurable, match="--features inception"):
        MEASURES["inception"](pair(look(300, 0), look(100, 1, classes=3)))
    found = MEASURES["inception"](pair(look(300, 0), look(300, 1, classes=3), name="inception"))
    assert found["inception-score"].value == pytest.approx(3, abs=0.1)


def test_no_critic_is_built_for_a_size_that_no_network_has():
    odd = ImageSet("odd", np.zeros((30, 17, 16, 1), np.uint8), "x")
    with pytest.raises(NotMeasurable, match="cannot be reached"):
        MEASURES["critic"](pair(ExtractedSet(odd, look(30, 0).output), look(30, 1)))


def test_a_part_of_a_look_keeps_images_and_features_together():
    whole = look(50, 0, classes=3)
    part = whole.pick(np.array([30, 4, 9]))
    assert np.array_equal(part.images.images, whole.images.images[[4, 9, 30]])
    assert np.array_equal(part.output.features, whole.output.features[[4, 9, 30]])
    assert part.output.probabilities is not None
    assert whole.at_most(80, np.random.default_rng(0)) is whole
    assert len(whole.at_most(20, np.random.default_rng(0)).images) == 20
