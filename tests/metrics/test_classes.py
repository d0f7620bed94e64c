from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy

from ganglion.metrics.classes import class_balance, inception_score


def sure(classes: list[int], k: int = 4) -> np.ndarray:
    """Probabilities of images that are of these classes for certain."""
    return np.eye(k)[classes]


def test_equal_shares_diverge_by_0_and_find_all():
    found = class_balance(sure([0, 1, 2, 3] * 5), sure([3, 2, 1, 0]))
    assert (found.found, found.divergence) == (4, 0)


def test_the_divergence_is_scipys():
    found = class_balance(sure([0] * 5 + [1] * 3 + [2, 3]), sure([0, 0, 0, 1, 1, 2, 3, 3]))
    assert found.divergence == pytest.approx(entropy([3, 2, 1, 2], [5, 3, 1, 1]))
    assert np.allclose(found.shares, [3 / 8, 2 / 8, 1 / 8, 2 / 8])


def test_a_lost_class_is_not_found_and_one_image_of_hundreds_does_not_find_it():
    real = sure([0, 1] * 200, 2)
    assert class_balance(real, sure([0] * 400, 2)).found == 1
    assert class_balance(real, sure([0] * 399 + [1], 2)).found == 1
    assert class_balance(real, sure([0] * 380 + [1] * 20, 2)).found == 2
    assert class_balance(real, sure([0] * 400, 2)).divergence == pytest.approx(np.log(2))


def test_a_class_that_no_real_image_has_leaves_the_divergence_finite():
    assert np.isfinite(class_balance(sure([0, 1, 2]), sure([3, 3])).divergence)


def test_the_inception_score_is_1_for_the_unsure_and_for_one_class_and_k_for_all_classes():
    assert inception_score(np.full((10, 4), 0.25)) == pytest.approx(1)
    assert inception_score(sure([2] * 10)) == pytest.approx(1)
    assert inception_score(sure([0, 1, 2, 3] * 10)) == pytest.approx(4)


def test_the_inception_score_is_its_definition():
    p = np.random.default_rng(0).dirichlet(np.ones(5), 200)
    expected = np.exp(np.mean([entropy(row, p.mean(0)) for row in p]))
    assert inception_score(p) == pytest.approx(expected)
