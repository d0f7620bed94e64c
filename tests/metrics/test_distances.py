from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torchmetrics.image.kid import poly_mmd

from ganglion.metrics.distances import (
    Moments,
    extrapolated_distance,
    frechet_distance,
    kernel_distance,
    moments,
    squared_mmd,
)


def features(n: int, size: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=(n, size)) @ random.normal(size=(size, size)) + random.normal(size=size)


def test_it_agrees_with_the_matrix_root_of_scipy() -> None:
    a, b = moments(features(500, 12, 0)), moments(features(400, 12, 1))
    root = sqrtm(a.covariance @ b.covariance)
    expected = np.square(a.mean - b.mean).sum() + np.trace(a.covariance + b.covariance - 2 * np.real(root))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_for_diagonal_gaussians_it_is_the_distance_of_means_and_deviations() -> None:
    a = Moments(np.array([0.0, 1.0]), np.diag([4.0, 9.0]))
    b = Moments(np.array([3.0, 1.0]), np.diag([1.0, 16.0]))
    assert frechet_distance(a, b) == pytest.approx(3**2 + (2 - 1) ** 2 + (3 - 4) ** 2)


def test_it_is_0_for_equal_sets_and_for_fewer_samples_than_features_too() -> None:
    for n in (100, 5):
        a = moments(features(n, 20, 2))
        assert frechet_distance(a, a) == pytest.approx(0, abs=1e-5 * np.trace(a.covariance))


def test_the_extrapolation_of_equal_sets_is_0_and_asks_for_enough_samples() -> None:
    random = np.random.default_rng(0)
    real, fake = moments(random.normal(size=(4000, 40))), random.normal(size=(400, 40))
    assert abs(extrapolated_distance(real, fake, random)) < 0.15 * frechet_distance(real, moments(fake))
    with pytest.raises(ValueError, match="four images for each feature"):
        extrapolated_distance(real, fake[:150], random)


def test_few_samples_give_a_finite_distance() -> None:
    found = frechet_distance(moments(features(4, 20, 3)), moments(features(3, 20, 4)))
    assert np.isfinite(found)
    assert found > 0


def test_moments_are_numpys_in_double_precision() -> None:
    x = features(50, 3, 5).astype(np.float32) + 1e4  # float32 sums of squares would be off by whole numbers
    found = moments(x)
    assert np.allclose(found.covariance, np.cov(x.astype(np.float64), rowvar=False))
    assert found.mean.dtype == np.float64


def test_one_sample_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="at least 2 samples; got 1"):
        moments(np.zeros((1, 3)))


def gaussian(n: int, size: int = 6, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (n, size))


def distance(real: np.ndarray, fake: np.ndarray, seed: int = 0) -> float:
    return kernel_distance(real, fake, np.random.default_rng(seed)).value


@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0])
def test_one_block_is_that_of_torchmetrics(shift):
    x, y = gaussian(40), gaussian(40, seed=1, shift=shift)
    assert squared_mmd(x, y) == pytest.approx(float(poly_mmd(torch.from_numpy(x), torch.from_numpy(y))), rel=1e-9)


def test_two_points_each_by_hand():
    """A = 1: k(x, y) = (xy + 1)^3. Reals 0 and 1, fakes 2 and 2: 1 + 125 - 2 * (1 + 27 + 1 + 27) / 4."""
    assert squared_mmd(np.array([[0.0], [1.0]]), np.array([[2.0], [2.0]])) == pytest.approx(1 + 125 - 28)


def test_gaussians_that_differ_by_a_shift_have_the_closed_form():
    """In one dimension (xy + 1)^3 = 1 + 3xy + 3x^2y^2 + x^3y^3 sees the first three moments: their squared differences."""
    shift = 0.5
    expected = 3 * shift**2 + 3 * (shift**2) ** 2 + (shift**3 + 3 * shift) ** 2
    found = kernel_distance(gaussian(200_000, 1), gaussian(200_000, 1, 1, shift), np.random.default_rng(0))
    assert found.value == pytest.approx(expected, abs=4 * found.error)
    assert found.error < 0.05 * expected


def test_it_is_unbiased_equal_distributions_are_at_0_however_few_they_are():
    found = [distance(gaussian(100, seed=2 * i), gaussian(100, seed=2 * i + 1)) for i in range(200)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))
    assert min(found) < 0 < max(found)


def test_the_error_it_states_is_the_one_it_has():
    results = [
        kernel_distance(gaussian(400, seed=2 * i), gaussian(400, seed=2 * i + 1, shift=0.2), np.random.default_rng(i))
        for i in range(100)
    ]
    assert np.std([r.value for r in results]) == pytest.approx(np.mean([r.error for r in results]), rel=0.3)


@pytest.mark.parametrize(("n", "block", "blocks"), [(20, 10, 2), (95, 10, 9), (500, 50, 10), (10_000, 1000, 10)])
def test_blocks_shrink_where_images_are_few(n, block, blocks):
    found = kernel_distance(gaussian(n), gaussian(n + 30, seed=1), np.random.default_rng(0))
    assert (found.block, found.blocks) == (block, blocks)


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="at least 20 images in each set; got 19"):
        distance(gaussian(19), gaussian(100))
