import pytest
import torch
from torch import nn

from ganglion.networks.layers import ACTIVATIONS, ToGrid, activation, feature_maps, full_precision


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
