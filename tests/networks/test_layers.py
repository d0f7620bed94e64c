from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganglion.networks.layers import (
    ACTIVATIONS,
    DIMENSIONS,
    KERNELS,
    NORMS,
    REFERENCE,
    MinibatchDiscrimination,
    MinibatchStddev,
    Normalise,
    ToGrid,
    VirtualBatchNorm2d,
    activation,
    feature_maps,
    full_precision,
)


@pytest.mark.parametrize(
    ("width", "count", "most", "maps"),
    [(64, 4, 8, [64, 128, 256, 512]), (64, 5, 8, [64, 128, 256, 512, 512]), (3, 2, 8, [3, 6]), (1, 4, 4, [1, 2, 4, 4])],
)
def test_feature_maps_double_towards_the_base_grid_up_to_a_bound(width, count, most, maps):
    assert feature_maps(width, count, most) == maps


@pytest.mark.parametrize(
    ("name", "expected"),
    [("relu", [0.0, 0.0, 1.0]), ("leaky-relu", [-0.6, 0.0, 1.0]), ("elu", [-0.8646647, 0.0, 1.0]),
     ("silu", [-0.2384058, 0.0, 0.7310586])],
)  # fmt: skip
def test_each_activation_computes_what_its_name_says(name, expected):
    assert activation(name, 0.3)(torch.tensor([-2.0, 0.0, 1.0])).tolist() == pytest.approx(expected, abs=1e-6)


def test_the_slope_is_used_by_leaky_relu_only():
    x = torch.linspace(-3, 3, 7)
    changed = {
        name for name in ACTIVATIONS if not torch.equal(activation(name, 0.1)(x + 0), activation(name, 0.5)(x + 0))
    }
    assert changed == {"leaky-relu"}


def test_a_vector_becomes_a_channels_last_grid_whose_columns_are_the_linear_layers_outputs():
    stem, z = ToGrid(5, 3, (4, 6), bias=True), torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    grid = stem(z)
    assert grid.shape == (2, 3, 4, 6)
    assert grid.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(grid[1, 2, 3, 5], stem.linear(z)[1, -1])
    assert torch.equal(grid[0, :, 0, 0], stem.linear(z)[0, :3])


def test_an_activation_out_of_place_leaves_its_input_alone():
    x = torch.tensor([-2.0, 1.0])
    activation("relu", 0.2, inplace=False)(x)
    assert x.tolist() == [-2.0, 1.0]


def test_full_precision_holds_inside_autocast_and_on_the_meta_device_too():
    x = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert (x @ x).dtype == torch.bfloat16
        with full_precision(x):
            assert (x @ x).dtype == torch.float32
    with full_precision(x.to("meta")):
        assert (x @ x).dtype == torch.float32


def test_to_grid_leaves_its_bias_out_where_it_is_asked_to():
    assert ToGrid(5, 3, (4, 4), bias=False).linear.bias is None
    assert isinstance(ToGrid(5, 3, (4, 4), bias=True).linear.bias, nn.Parameter)


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


def test_a_conditional_normalisation_takes_a_class_as_a_vector_with_one_1():
    layer, x, labels = Normalise("batch", 6, classes=3).train(), maps(), torch.tensor([2, 0, 2, 1])
    with torch.no_grad():
        layer.scale.normal_(generator=torch.Generator().manual_seed(1))
        layer.shift.normal_(generator=torch.Generator().manual_seed(2))
    assert torch.allclose(layer(x, one_hot(labels, 3).float()), layer(x, labels), atol=1e-5)


def test_a_conditional_normalisation_begins_as_a_plain_one():
    x = maps()
    vectors = torch.tensor([[1.0, -1, 1], [0.5, 3, 1], [0, 0, 1], [-1, -1, 1]])
    assert torch.allclose(Normalise("batch", 6, 3)(x, vectors), NORMS["batch"](6, False)(x))
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
