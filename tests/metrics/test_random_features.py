from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from ganglion.metrics.frechet import frechet_distance, moments
from ganglion.metrics.random_features import random_extractor

CPU = torch.device("cpu")


def blots(n: int, seed: int, blur: float = 1.0) -> torch.Tensor:
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:16, :16] / 16
    y, x = random.uniform(0.3, 0.7, (2, n, 1, 1))
    images = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (0.03 * blur))
    return torch.from_numpy(2 * images[:, None] - 1).float()


@pytest.mark.parametrize(("channels", "size"), [(1, (8, 8)), (3, (32, 32)), (4, (64, 96)), (1, (128, 16))])
def test_any_channels_and_size_give_finite_features(channels, size):
    features = random_extractor(channels, CPU).look(torch.rand(3, channels, *size) * 2 - 1).features
    assert features.ndim == 2
    assert bool(features.isfinite().all())


def test_it_is_the_same_network_every_time_and_the_global_generator_is_left_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = random_extractor(3, CPU)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(4)
    assert random_extractor(3, CPU).hash == first.hash != random_extractor(1, CPU).hash


def test_its_numbers_are_pinned_so_that_scores_of_different_versions_compare():
    image = torch.linspace(-1, 1, 3 * 16 * 16).view(1, 3, 16, 16)
    features = random_extractor(3, CPU).look(image).features[0]
    assert features[:4].tolist() == pytest.approx([1.2847103, 0.0200227, 0.2037299, 0.0], rel=1e-4, abs=1e-6)


def test_the_further_from_the_data_the_larger_the_distance():
    look = random_extractor(1, CPU).look
    real = moments(look(blots(600, 0)).features.numpy())
    distances = [frechet_distance(real, moments(look(blots(600, 1, blur)).features.numpy())) for blur in (1, 1.5, 2.5)]
    assert all(b > 1.2 * a for a, b in pairwise(distances))
