from __future__ import annotations

import numpy as np
import pytest
import torch

from ganglion.objectives.generator_terms import feature_matching, historical_averaging, ramp


def test_feature_matching_by_hand() -> None:
    real, fake = torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 3.0]])
    assert float(feature_matching(real, fake)) == pytest.approx(2**2 + 2**2)


def test_feature_matching_is_the_squared_distance_of_means_and_is_blind_to_spread() -> None:
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(7, 5)), random.normal(size=(9, 5))
    expected = np.sum((real.mean(0) - fake.mean(0)) ** 2)
    assert float(feature_matching(torch.tensor(real), torch.tensor(fake))) == pytest.approx(expected, rel=1e-5)
    assert float(feature_matching(torch.tensor([[1.0], [-1.0]]), torch.zeros(3, 1))) == 0


def test_feature_matching_passes_gradcheck_in_its_fakes() -> None:
    fake = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    real = torch.ones(2, 4, dtype=torch.float64)
    loss = feature_matching(real, fake)
    (slope,) = torch.autograd.grad(loss, fake)
    expected = 2 / 3 * (fake.detach().mean(0) - 1)  # d|m - 1|^2 / df with m the mean of three
    torch.testing.assert_close(slope, expected.expand(3, 4), rtol=1e-5, atol=1e-6)  # the means are taken in float32


def test_historical_averaging_sums_squared_distances_over_all_weights() -> None:
    weights = [torch.tensor([1.0, 2.0]), torch.tensor([[3.0]])]
    means = [torch.tensor([0.0, 4.0]), torch.tensor([[3.5]])]
    assert float(historical_averaging(weights, means)) == pytest.approx(1 + 4 + 0.25)


@pytest.mark.parametrize(
    ("images", "kimg", "share"), [(0, 10, 0), (2500, 10, 0.25), (10_000, 10, 1), (9e9, 10, 1), (0, 0, 1)]
)
def test_a_ramp_rises_to_1_and_stays(images: float, kimg: float, share: float) -> None:
    assert ramp(int(images), kimg) == pytest.approx(share)
