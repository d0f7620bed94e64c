from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from ganglion.metrics.neighbours import copy_scores, nearest_neighbours, prdc, probability_below


def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(a[:, None, :] - b[None, :, :]).sum(2))


def by_hand(real: np.ndarray, fake: np.ndarray) -> tuple[float, float, float, float]:
    """The four definitions, word by word."""

    def radius(points: np.ndarray, k: int) -> np.ndarray:
        return np.sort(apart(points, points), axis=1)[:, k]

    between = apart(real, fake)
    return (
        (between <= radius(real, 3)[:, None]).any(0).mean(),
        (between <= radius(fake, 3)[None, :]).any(1).mean(),
        (between <= radius(real, 5)[:, None]).sum() / (5 * len(fake)),
        (between.min(1) <= radius(real, 5)).mean(),
    )


@pytest.mark.parametrize(("n", "m", "shift"), [(40, 30, 0.0), (700, 600, 0.5), (30, 600, 1.0)])
def test_all_four_are_their_definitions_whatever_the_chunks(n, m, shift):
    random = np.random.default_rng(n)
    real, fake = random.normal(size=(n, 4)), random.normal(shift, 1, (m, 4))
    assert prdc(real, fake) == pytest.approx(by_hand(real, fake))


def test_equal_distributions_have_density_1_and_nearly_full_coverage():
    random = np.random.default_rng(0)
    found = prdc(random.normal(size=(2000, 8)), random.normal(size=(2000, 8)))
    assert found.density == pytest.approx(1, abs=0.05)
    assert found.coverage == pytest.approx(1 - 0.5**5, abs=0.02)  # Naeem et al. 2020, section 3.4, for k = 5


def test_far_sets_do_not_overlap_and_large_offsets_cost_no_digits():
    random = np.random.default_rng(0)
    points = random.normal(size=(50, 4))
    assert prdc(points, points + 100) == (0, 0, 0, 0)
    others = random.normal(size=(60, 4))
    far, near = prdc(points + 1e6, others + 1e6), prdc(points, others)
    assert tuple(far) == pytest.approx(tuple(near))


def test_a_lost_half_costs_recall_and_coverage_and_not_precision():
    random = np.random.default_rng(0)
    real = np.concatenate([random.normal(-5, 1, (300, 3)), random.normal(5, 1, (300, 3))])
    found = prdc(real, random.normal(5, 1, (600, 3)))
    assert found.precision > 0.9
    assert found.recall < 0.55
    assert found.coverage < 0.55


def test_noise_costs_precision():
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(2, 500, 6))
    found = [prdc(real, fake + random.normal(0, s, fake.shape)).precision for s in (0, 1, 3)]
    assert found[0] > found[1] > found[2]


def test_fewer_images_than_neighbours_are_refused():
    with pytest.raises(ValueError, match="at least 6 images"):
        prdc(np.zeros((5, 2)), np.zeros((9, 2)))


def test_the_nearest_is_the_nearest_whatever_the_chunks():
    random = np.random.default_rng(0)
    queries, base = random.normal(size=(1100, 3)), random.normal(size=(700, 3))
    found = nearest_neighbours(queries, base)
    assert np.array_equal(found.indices, apart(queries, base).argmin(1))
    assert np.allclose(found.distance, apart(queries, base).min(1))


def test_none_is_its_own_neighbour():
    points = np.random.default_rng(0).normal(size=(600, 3))
    places = np.array([5, 1, 599])
    found = nearest_neighbours(points, points, places)
    distances = apart(points, points)
    np.fill_diagonal(distances, np.inf)
    assert np.array_equal(found.indices, distances.argmin(1)[places])
    assert np.allclose(found.distance, distances.min(1)[places])


def points(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 5))


def found(fake: np.ndarray, unseen: np.ndarray | None, training: np.ndarray | None = None):  # type: ignore[no-untyped-def]
    return copy_scores(points(400, 0) if training is None else training, fake, unseen, np.random.default_rng(0))


def test_new_images_of_the_same_kind_are_no_copies():
    result = found(points(2000, 1), points(2000, 2))
    assert result.nearer == pytest.approx(0.5, abs=0.04)
    assert result.near == pytest.approx(0.01, abs=0.01)


def test_copies_are_found_and_where_they_come_from():
    result = found(points(400, 0)[::-1], points(400, 2))
    assert (result.nearer, result.near) == (1, 1)
    assert np.array_equal(result.nearest.indices, np.arange(400)[::-1])
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
    assert probability_below(a, b) == pytest.approx(1 - larger)
    brute = np.mean([(x < y) + 0.5 * (x == y) for x in a for y in b])
    assert probability_below(a, b) == pytest.approx(brute)
