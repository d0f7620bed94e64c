from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ganglion.networks.norms import NORMS, REFERENCE, Normalise, VirtualBatchNorm2d


def maps(n: int = 4, seed: int = 0) -> Tensor:
    x = torch.randn(n, 6, 8, 8, generator=torch.Generator().manual_seed(seed))
    return x * 3 + torch.arange(6).view(1, 6, 1, 1)


@pytest.mark.parametrize(("name", "axes"), [("batch", (0, 2, 3)), ("instance", (2, 3)), ("layer", (1, 2, 3))])
def test_each_normalisation_gives_mean_0_and_deviation_1_over_its_own_axes(name, axes):
    y = NORMS[name](6, True).train()(maps())
    assert torch.allclose(y.mean(dim=axes), torch.zeros(()), atol=1e-5)
    assert torch.allclose(y.var(dim=axes, correction=0), torch.ones(()), atol=1e-4)  # eps 1e-5 beside variances of 9


@pytest.mark.parametrize("name", ["batch", "virtual-batch", "instance", "layer"])
def test_each_normalisation_has_a_scale_and_a_shift_for_every_map_or_none(name):
    assert {key: tuple(p.shape) for key, p in NORMS[name](6, True).named_parameters()} == {"weight": (6,), "bias": (6,)}
    assert not list(NORMS[name](6, False).parameters())


def test_none_leaves_its_input():
    x = maps()
    assert Normalise("none", 6)(x) is x


def test_virtual_batch_norm_agrees_with_a_plain_loop():
    layer, x = VirtualBatchNorm2d(6), maps(REFERENCE + 3)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(6) + 1.0)
        layer.bias.fill_(0.5)
        found = layer(x).numpy()
    wide = x.double().numpy()
    for i in (0, REFERENCE, REFERENCE + 2):
        for c in range(6):
            seen = [*wide[:REFERENCE, c], wide[i, c]]  # the reference batch, and the image itself as one more
            mean = np.mean([one.mean() for one in seen])
            variance = np.mean([(one**2).mean() for one in seen]) - mean**2
            expected = (wide[i, c] - mean) / np.sqrt(variance + 1e-5) * (c + 1) + 0.5
            np.testing.assert_allclose(found[i, c], expected, rtol=1e-4, atol=1e-4)


def test_virtual_batch_norm_looks_at_no_other_image_of_the_batch():
    layer, x = VirtualBatchNorm2d(6), maps(REFERENCE + 3)
    alone = layer(x[: REFERENCE + 1])[REFERENCE]
    assert torch.allclose(layer(x)[REFERENCE], alone, atol=1e-6)


@pytest.mark.parametrize("name", ["batch", "instance", "layer"])
def test_a_conditional_normalisation_is_the_plain_one_with_its_classs_scale_and_shift(name):
    layer, x, labels = Normalise(name, 6, classes=3).train(), maps(), torch.tensor([2, 0, 2, 1])
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        layer.scale.normal_(generator=random)
        layer.shift.normal_(generator=random)
    plain = NORMS[name](6, False).train()(x)
    for i, label in enumerate(labels.tolist()):
        expected = plain[i] * layer.scale[label][:, None, None] + layer.shift[label][:, None, None]
        assert torch.allclose(layer(x, labels)[i], expected, atol=1e-6)


def test_a_conditional_normalisation_begins_as_a_plain_one():
    x = maps()
    assert torch.equal(Normalise("batch", 6, 3)(x, torch.tensor([0, 1, 2, 0])), NORMS["batch"](6, False)(x))


def test_gradients_pass_gradcheck_through_virtual_batch_norms_statistics():
    layer, random = VirtualBatchNorm2d(2).double(), torch.Generator().manual_seed(0)
    reference = torch.randn(REFERENCE, 2, 1, 2, generator=random, dtype=torch.float64)
    x = torch.randn(2, 2, 1, 2, generator=random, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: layer(torch.cat([reference, y])), (x,))
    assert torch.autograd.gradcheck(lambda r: layer(torch.cat([r, x.detach()]))[-2:], (reference.requires_grad_(),))


@pytest.mark.parametrize("name", ["batch", "instance", "layer"])
def test_gradients_pass_gradcheck_through_a_conditional_normalisation(name):
    layer, labels = Normalise(name, 6, classes=3).train().double(), torch.tensor([2, 0])
    x = maps(2)[..., :2, :2].double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda y, scale, shift: torch.func.functional_call(layer, {"scale": scale, "shift": shift}, (y, labels)),
        (x, layer.scale.detach().requires_grad_(), layer.shift.detach().requires_grad_()),
    )
