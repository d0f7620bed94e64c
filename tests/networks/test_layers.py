import pytest
import torch
from torch import nn

from ganglion.networks.layers import ACTIVATIONS, NORMS, FromGrid, ToGrid, activation, feature_maps


@pytest.mark.parametrize(
    ("width", "doublings", "maps"),
    [(64, 4, [64, 128, 256, 512]), (64, 5, [64, 128, 256, 512, 512]), (3, 2, [3, 6]), (1, 6, [1, 2, 4, 8, 8, 8])],
)
def test_feature_maps_double_towards_the_base_grid_up_to_eight_times_the_width(width, doublings, maps):
    assert feature_maps(width, doublings) == maps


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


@pytest.mark.parametrize(("name", "axes"), [("batch", (0, 2, 3)), ("instance", (2, 3)), ("layer", (1, 2, 3))])
def test_each_normalisation_gives_mean_0_and_deviation_1_over_its_own_axes(name, axes):
    x = torch.randn(4, 6, 8, 8, generator=torch.Generator().manual_seed(0)) * 3 + torch.arange(6).view(1, 6, 1, 1)
    y = NORMS[name](6).train()(x)
    assert torch.allclose(y.mean(dim=axes), torch.zeros(()), atol=1e-5)
    assert torch.allclose(y.var(dim=axes, correction=0), torch.ones(()), atol=1e-4)  # eps 1e-5 beside variances of 9


@pytest.mark.parametrize("name", ["batch", "instance", "layer"])
def test_each_normalisation_has_a_scale_and_a_shift_for_every_map(name):
    assert {key: tuple(p.shape) for key, p in NORMS[name](6).named_parameters()} == {"weight": (6,), "bias": (6,)}


def test_a_vector_becomes_a_channels_last_grid_whose_columns_are_the_linear_layers_outputs():
    stem, z = ToGrid(5, 3, (4, 6), bias=True), torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    grid = stem(z)
    assert grid.shape == (2, 3, 4, 6)
    assert grid.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(grid[1, 2, 3, 5], stem.linear(z)[1, -1])
    assert torch.equal(grid[0, :, 0, 0], stem.linear(z)[0, :3])


def test_a_grid_becomes_one_logit_for_each_image_whatever_its_layout_in_memory():
    head, x = FromGrid(3, (4, 6)), torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    weight = head.linear.weight.view(4, 6, 3).permute(2, 0, 1)
    by_hand = (x.double() * weight.double()).sum(dim=(1, 2, 3)) + head.linear.bias.double()
    for layout in (torch.contiguous_format, torch.channels_last):
        logits = head(x.contiguous(memory_format=layout))
        assert logits.shape == (2,)
        assert torch.allclose(logits.double(), by_hand, atol=1e-5)


def test_to_grid_leaves_its_bias_out_where_it_is_asked_to():
    assert ToGrid(5, 3, (4, 4), bias=False).linear.bias is None
    assert isinstance(ToGrid(5, 3, (4, 4), bias=True).linear.bias, nn.Parameter)
