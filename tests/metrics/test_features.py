from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ganglion.data.prepare import prepare
from ganglion.errors import DataError
from ganglion.metrics.features import (
    MOST_IN_CHUNK,
    Extractor,
    ExtractorOutput,
    array_set,
    extract,
    store_set,
    weights_hash,
)
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Data

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 16, 16, 3), np.uint8)


def test_equal_images_have_equal_content_and_one_changed_pixel_another():
    changed = PIXELS.copy()
    changed[3, 4, 5, 0] ^= 1
    assert array_set("a", PIXELS).content == array_set("b", PIXELS.copy()).content != array_set("a", changed).content


def test_the_same_bytes_in_another_shape_are_other_images():
    assert array_set("a", PIXELS).content != array_set("a", PIXELS.reshape(10, 8, 32, 3)).content


def test_a_part_is_a_set_of_its_own_with_its_labels(cache: Path):
    digits = store_set(prepare(Data(source="digits", size=(16, 16)), cache, Screen(quiet=True)))
    assert (digits.shape, len(digits.classes), len(digits)) == ((16, 16, 1), 10, 1797)
    chosen = np.array([5, 7, 100])
    part = digits.pick(chosen)
    assert np.array_equal(part.images, digits.images[chosen])
    assert part.labels is not None
    assert digits.labels is not None
    assert np.array_equal(part.labels, digits.labels[chosen])
    assert part.content != digits.content != digits.pick(np.array([5, 7, 101])).content


def test_a_part_of_a_part_is_read_from_the_whole_and_copies_nothing():
    images = array_set("noise", np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), np.uint8))
    part = images.pick(np.arange(40)).pick(np.array([3, 1, 30]))
    assert part.source is images.source
    assert (len(part), part.shape) == (3, (8, 8, 1))
    assert np.array_equal(part.images, images.images[[3, 1, 30]])
    assert np.array_equal(part[1:], images.images[[1, 30]])


def test_a_part_knows_which_of_its_images_were_held_out():
    kept = np.arange(10) % 3 == 0
    part = replace(array_set("a", PIXELS), held_out=kept).pick(np.array([1, 3, 4, 9]))
    assert part.held_out is not None
    assert part.held_out.tolist() == [False, True, False, True]
    assert array_set("a", PIXELS).pick(np.array([1])).held_out is None


def test_how_images_were_made_to_fit_is_part_of_what_they_are(cache: Path):
    screen = Screen(quiet=True)
    small, large = (store_set(prepare(Data(source="digits", size=(s, s)), cache, screen)) for s in (16, 32))
    assert small.content != large.content
    assert "16x16" in small.resize


@pytest.mark.parametrize("bad", [PIXELS[0], PIXELS.astype(float), np.zeros((2, 8, 8, 65), np.uint8), PIXELS[:0]])
def test_what_is_no_set_of_images_is_refused(bad):
    with pytest.raises(DataError, match=r"bad must be uint8 \(N, H, W, C\)"):
        array_set("bad", bad)


IMAGES = np.random.default_rng(0).integers(0, 256, (2 * MOST_IN_CHUNK + 7, 8, 8, 3), np.uint8)


class Means:
    """An extractor that counts how often it is asked."""

    def __init__(self, key: str = "means 1", fails_at: int | None = None) -> None:
        self.asked = 0
        self.fails_at = fails_at
        self.extractor = Extractor("means", key, "mean of each channel", self.embed, torch.device("cpu"))

    def embed(self, images: Tensor) -> ExtractorOutput:
        self.asked += 1
        if self.asked == self.fails_at:
            raise RuntimeError("out of memory")
        means = images.mean((2, 3))
        return ExtractorOutput(means, means.softmax(1))


def test_features_are_those_of_every_image_in_order(tmp_path: Path) -> None:
    found = extract(array_set("a", IMAGES), Means().extractor, tmp_path)
    expected = (IMAGES / 127.5 - 1).mean((1, 2))
    assert np.allclose(found.features, expected, atol=1e-6)
    assert found.probabilities is not None
    assert np.allclose(found.probabilities, np.exp(expected) / np.exp(expected).sum(1, keepdims=True), atol=1e-6)


def test_what_was_seen_once_is_not_looked_at_again(tmp_path: Path) -> None:
    means = Means()
    first = extract(array_set("a", IMAGES), means.extractor, tmp_path)
    again = extract(array_set("under another name", IMAGES.copy()), means.extractor, tmp_path)
    assert means.asked == 3
    assert np.array_equal(first.features, again.features)


@pytest.mark.parametrize("change", ["images", "extractor"])
def test_other_images_and_other_extractors_are_looked_at_anew(tmp_path: Path, change: str) -> None:
    extract(array_set("a", IMAGES), Means().extractor, tmp_path)
    images = IMAGES.copy()
    means = Means("means 2" if change == "extractor" else "means 1")
    images[0, 0, 0, 0] ^= change == "images"
    found = extract(array_set("a", images), means.extractor, tmp_path)
    assert means.asked == 3
    assert np.allclose(found.features[0], (images[0] / 127.5 - 1).mean((0, 1)), atol=1e-6)


def test_a_failure_leaves_nothing_half_done(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        extract(array_set("a", IMAGES), Means(fails_at=2).extractor, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_progress_ends_at_the_number_of_images(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    extract(array_set("a", IMAGES), Means().extractor, tmp_path, lambda done, total: told.append((done, total)))
    assert told == [(MOST_IN_CHUNK, len(IMAGES)), (2 * MOST_IN_CHUNK, len(IMAGES)), (len(IMAGES), len(IMAGES))]


def test_equal_weights_have_equal_hashes_and_one_changed_number_or_name_another() -> None:
    weights = {"a": torch.arange(6.0).view(2, 3)}
    other = {"a": weights["a"].clone().index_put_((torch.tensor(1), torch.tensor(2)), torch.tensor(5.5))}
    hashes = [weights_hash(state) for state in (weights, {"a": weights["a"].clone()}, other, {"b": weights["a"]})]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
