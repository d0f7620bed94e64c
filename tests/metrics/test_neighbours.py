from __future__ import annotations

import numpy as np
import pytest

from ganglion.metrics.neighbours import nearest, overlap


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
    assert overlap(real, fake) == pytest.approx(by_hand(real, fake))


def test_equal_distributions_have_density_1_and_nearly_full_coverage():
    random = np.random.default_rng(0)
    found = overlap(random.normal(size=(2000, 8)), random.normal(size=(2000, 8)))
    assert found.density == pytest.approx(1, abs=0.05)
    assert found.coverage == pytest.approx(1 - 0.5**5, abs=0.02)  # Naeem et al. 2020, section 3.4, for k = 5


def test_far_sets_do_not_overlap_and_large_offsets_cost_no_digits():
    random = np.random.default_rng(0)
    points = random.normal(size=(50, 4))
    assert overlap(points, points + 100) == (0, 0, 0, 0)
    others = random.normal(size=(60, 4))
    far, near = overlap(points + 1e6, others + 1e6), overlap(points, others)
    assert tuple(far) == pytest.approx(tuple(near))


def test_a_lost_half_costs_recall_and_coverage_and_not_precision():
    random = np.random.default_rng(0)
    real = np.concatenate([random.normal(-5, 1, (300, 3)), random.normal(5, 1, (300, 3))])
    found = overlap(real, random.normal(5, 1, (600, 3)))
    assert found.precision > 0.9
    assert found.recall < 0.55
    assert found.coverage < 0.55


def test_noise_costs_precision():
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(2, 500, 6))
    found = [overlap(real, fake + random.normal(0, s, fake.shape)).precision for s in (0, 1, 3)]
    assert found[0] > found[1] > found[2]


def test_fewer_images_than_neighbours_are_refused():
    with pytest.raises(ValueError, match="at least 6 images"):
        overlap(np.zeros((5, 2)), np.zeros((9, 2)))


def test_the_nearest_is_the_nearest_whatever_the_chunks():
    random = np.random.default_rng(0)
    queries, base = random.normal(size=(1100, 3)), random.normal(size=(700, 3))
    found = nearest(queries, base)
    assert np.array_equal(found.place, apart(queries, base).argmin(1))
    assert np.allclose(found.distance, apart(queries, base).min(1))


def test_none_is_its_own_neighbour():
    points = np.random.default_rng(0).normal(size=(600, 3))
    places = np.array([5, 1, 599])
    found = nearest(points, points, places)
    distances = apart(points, points)
    np.fill_diagonal(distances, np.inf)
    assert np.array_equal(found.place, distances.argmin(1)[places])
    assert np.allclose(found.distance, distances.min(1)[places])
