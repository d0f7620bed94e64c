from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from ganglion.metrics.copies import chance_below, copying


def points(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 5))


def found(fake: np.ndarray, unseen: np.ndarray | None, training: np.ndarray | None = None):  # type: ignore[no-untyped-def]
    return copying(points(400, 0) if training is None else training, fake, unseen, np.random.default_rng(0))


def test_new_images_of_the_same_kind_are_no_copies():
    result = found(points(2000, 1), points(2000, 2))
    assert result.nearer == pytest.approx(0.5, abs=0.04)
    assert result.near == pytest.approx(0.01, abs=0.01)


def test_copies_are_found_and_where_they_come_from():
    result = found(points(400, 0)[::-1], points(400, 2))
    assert (result.nearer, result.near) == (1, 1)
    assert np.array_equal(result.nearest.place, np.arange(400)[::-1])
    assert result.nearest.distance == pytest.approx(0, abs=1e-6)


def test_the_more_copies_the_nearer():
    training, new = points(400, 0), points(400, 1)
    results = [found(np.concatenate([training[:n], new[n:]]), points(400, 2)) for n in (0, 100, 200, 400)]
    assert all(b.nearer > a.nearer and b.near > a.near for a, b in pairwise(results))


def test_without_unseen_images_training_images_stand_for_them():
    assert found(points(400, 1), None).nearer == pytest.approx(0.5, abs=0.06)
    assert found(points(400, 0), None).nearer == 1


def test_samples_that_are_far_from_everything_are_no_copies():
    assert found(points(400, 1) + 10, points(400, 2)).nearer == 0


def test_the_chance_is_that_of_mann_and_whitney_with_ties():
    random = np.random.default_rng(0)
    a, b = random.integers(0, 9, 50).astype(float), random.integers(0, 9, 70).astype(float)
    larger = mannwhitneyu(a, b).statistic / (50 * 70)
    assert chance_below(a, b) == pytest.approx(1 - larger)
    brute = np.mean([(x < y) + 0.5 * (x == y) for x in a for y in b])
    assert chance_below(a, b) == pytest.approx(brute)
