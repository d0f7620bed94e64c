from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from ganglion.metrics.frechet import Moments, frechet_distance, moments


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
