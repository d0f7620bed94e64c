from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from ganglion.errors import RecipeError
from ganglion.metrics.critic import earth_mover, fresh_critic


def gray(level: float, n: int = 200, spread: float = 3.0, seed: int = 0) -> np.ndarray:
    """Nearly flat images (n, 16, 16, 1) around a level of [0, 255]."""
    values = np.random.default_rng(seed).normal(level, spread, (n, 1, 1, 1))
    return np.repeat(np.repeat(values, 16, 1), 16, 2).round().clip(0, 255).astype(np.uint8)


def distance(real: np.ndarray, fake: np.ndarray, steps: int = 120):  # type: ignore[no-untyped-def]
    return earth_mover(fresh_critic(16, 16, 1), real, fake, np.random.default_rng(0), steps=steps)


def test_flat_images_are_as_far_apart_as_their_levels():
    """Every pixel moves by the same amount: the root of the mean squared difference is that amount."""
    found = distance(gray(80), gray(160, seed=1))
    assert found.value == pytest.approx(80 / 127.5, rel=0.15)


def test_images_sorted_by_class_are_as_near_as_in_any_order():
    """Halves in their order would be of one class each: the critic would be evaluated on what it never saw."""
    real, fake = (np.concatenate([gray(60, 100, seed=seed), gray(190, 100, seed=seed + 1)]) for seed in (0, 2))
    found = distance(real, np.random.default_rng(0).permutation(fake))
    assert abs(found.value) < 0.1


def test_further_sets_are_further_and_equal_ones_near_0():
    found = [distance(gray(100), gray(100 + shift, seed=1), 80).value for shift in (0, 30, 90)]
    assert all(b > a for a, b in pairwise(found))
    assert abs(found[0]) < 0.05


def test_a_critic_that_learns_by_heart_is_betrayed_by_held_out_images():
    """Ten random images on each side: a critic tells those it saw, and knows nothing of the others."""
    random = np.random.default_rng(0)
    real, fake = random.integers(0, 256, (2, 20, 16, 16, 1), np.uint8)
    found = distance(real, fake, 150)
    assert found.trained > 2 * abs(found.value)


def test_it_is_repeatable_and_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    assert distance(gray(80), gray(120), 10) == distance(gray(80), gray(120), 10)
    assert torch.equal(before, torch.random.get_rng_state())


def test_sizes_that_no_critic_has_are_refused():
    with pytest.raises(RecipeError):
        fresh_critic(17, 16, 1)
