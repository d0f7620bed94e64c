from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ganglion.networks.minibatch import DIMENSIONS, KERNELS, MinibatchDiscrimination, MinibatchStddev


def features(n: int, size: int = 10) -> Tensor:
    return torch.randn(n, size, generator=torch.Generator().manual_seed(n)) / 10


def test_minibatch_discrimination_agrees_with_a_double_loop():
    layer, x = MinibatchDiscrimination(10), features(5)
    with torch.no_grad():
        found = layer(x).numpy()
        m = layer.project(x).view(5, KERNELS, DIMENSIONS).double().numpy()
    for i in range(5):
        expected = sum(np.exp(-np.abs(m[i] - m[j]).sum(1)) for j in range(5) if j != i)
        np.testing.assert_allclose(found[i], expected, rtol=1e-4)


def test_equal_images_are_as_alike_as_can_be_and_distant_ones_not_at_all():
    layer = MinibatchDiscrimination(10)
    assert torch.allclose(layer(features(1).expand(6, 10)), torch.full((6, KERNELS), 5.0), atol=1e-5)
    assert layer(torch.eye(6, 10) * 1e4).max().item() < 1e-3


@pytest.mark.parametrize("n", [8, 12, 5])
def test_the_standard_deviation_is_numpys_over_groups_of_4(n):
    x = features(n)
    size = 4 if n % 4 == 0 else n
    groups = x.double().numpy().reshape(size, n // size, 10)
    expected = np.sqrt(groups.var(axis=0) + 1e-8).mean(1)
    np.testing.assert_allclose(MinibatchStddev()(x)[:, 0].numpy(), np.tile(expected, size), rtol=1e-5)


def test_equal_images_have_next_to_no_deviation_and_finite_gradients():
    x = features(1).expand(8, 10).clone().requires_grad_()
    found = MinibatchStddev()(x)
    found.sum().backward()
    assert found.max().item() < 2e-4
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("layer", [MinibatchDiscrimination(3), MinibatchStddev()])
def test_gradients_pass_gradcheck_in_the_image_and_in_its_neighbours(layer):
    x = features(4, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(layer.double(), (x,))
