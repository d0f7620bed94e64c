from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ganglion.metrics.extractor import CHUNK, Extractor, Seen, extract, weights_hash
from ganglion.metrics.images import array_set

IMAGES = np.random.default_rng(0).integers(0, 256, (2 * CHUNK + 7, 8, 8, 3), np.uint8)


class Means:
    """An extractor that counts how often it is asked."""

    def __init__(self, key: str = "means 1", fails_at: int | None = None) -> None:
        self.asked = 0
        self.fails_at = fails_at
        self.extractor = Extractor("means", key, "mean of each channel", self.look, torch.device("cpu"))

    def look(self, images: Tensor) -> Seen:
        self.asked += 1
        if self.asked == self.fails_at:
            raise RuntimeError("out of memory")
        means = images.mean((2, 3))
        return Seen(means, means.softmax(1))


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
    assert told == [(CHUNK, len(IMAGES)), (2 * CHUNK, len(IMAGES)), (len(IMAGES), len(IMAGES))]


def test_equal_weights_have_equal_hashes_and_one_changed_number_or_name_another() -> None:
    weights = {"a": torch.arange(6.0).view(2, 3)}
    other = {"a": weights["a"].clone().index_put_((torch.tensor(1), torch.tensor(2)), torch.tensor(5.5))}
    hashes = [weights_hash(state) for state in (weights, {"a": weights["a"].clone()}, other, {"b": weights["a"]})]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
