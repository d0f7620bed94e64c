"""Layers that double and halve height and width: what they are equal to, and that flat areas stay flat."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate
from torch.nn.utils.parametrizations import spectral_norm

from ganglion.networks.build import build_discriminator, build_generator
from ganglion.networks.resampling import DOWNSAMPLINGS, UPSAMPLINGS, AveragedConv2d, BilinearConv2d, NearestConv2d
from ganglion.recipe.resolve import resolve
from tiny import TINY


def in_two_steps(layer: nn.Conv2d, x: Tensor) -> Tensor:
    if isinstance(layer, NearestConv2d):
        return conv2d(interpolate(x, scale_factor=2, mode="nearest"), layer.weight, layer.bias, padding=1)
    return avg_pool2d(conv2d(x, layer.weight, layer.bias, padding=1), 2)


def derivatives(layer: nn.Conv2d, function: object, x: Tensor) -> list[Tensor]:
    """Output, gradients, and the gradients of a penalty on the gradient."""
    x = x.clone().requires_grad_()
    out = function(x)  # type: ignore[operator]
    (slope,) = torch.autograd.grad(out.sin().sum(), x, create_graph=True)
    return [out, slope, *torch.autograd.grad(slope.square().sum(), [x, *layer.parameters()])]


@pytest.mark.parametrize("kind", [NearestConv2d, AveragedConv2d])
@pytest.mark.parametrize("ends", [(6, 5), (6, 3), (3, 6), (1, 1)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(4, 4), (6, 10)])
def test_one_convolution_is_equal_to_two_steps_and_so_are_its_derivatives(
    kind: type[nn.Conv2d], ends: tuple[int, int], bias: bool, size: tuple[int, int]
) -> None:
    layer = kind(*ends, bias=bias).double()
    x = torch.randn(2, ends[0], *size, dtype=torch.float64)
    found = derivatives(layer, layer, x)
    for one, expected in zip(found, derivatives(layer, lambda x: in_two_steps(layer, x), x), strict=True):
        torch.testing.assert_close(one, expected)


@pytest.mark.parametrize("ends", [(6, 5), (6, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_blur_after_the_convolution_is_bilinear_enlargement_before_it_but_for_the_border(
    ends: tuple[int, int], bias: bool
) -> None:
    layer = BilinearConv2d(*ends, bias=bias).double()
    x = torch.randn(2, ends[0], 6, 10, dtype=torch.float64)
    two_steps = conv2d(interpolate(x, scale_factor=2, mode="bilinear"), layer.weight, layer.bias, padding=1)
    found = layer(x)
    torch.testing.assert_close(found[:, :, 2:-2, 2:-2], two_steps[:, :, 2:-2, 2:-2])
    nearest = in_two_steps(layer, x)
    corner = 4 * nearest[:, :, 0, 0] + 2 * (nearest[:, :, 0, 1] + nearest[:, :, 1, 0]) + nearest[:, :, 1, 1]
    torch.testing.assert_close(found[:, :, 0, 0], corner / 9)


@pytest.mark.parametrize("word", [word for word in UPSAMPLINGS if word != "transposed"])
def test_a_flat_area_stays_flat(word: str) -> None:
    torch.manual_seed(0)
    layer = UPSAMPLINGS[word](4, 3, False)
    if hasattr(layer, "adjust_first_weights"):
        with torch.no_grad():
            layer.adjust_first_weights()
    image = layer(torch.ones(1, 4, 8, 8))[:, :, 4:-4, 4:-4]  # away from the padding
    assert torch.allclose(image, image[:, :, :1, :1].expand_as(image), atol=1e-6)


def test_a_transposed_convolution_makes_a_grid_of_it() -> None:
    torch.manual_seed(0)
    image = UPSAMPLINGS["transposed"](4, 3, False)(torch.ones(1, 4, 8, 8)).detach()[:, :, 4:-4, 4:-4]
    assert float((image[..., ::2] - image[..., 1::2]).abs().mean()) > 0.01


@pytest.mark.parametrize("kind", [NearestConv2d, AveragedConv2d, BilinearConv2d])
def test_spectral_norm_and_other_devices(kind: type[nn.Conv2d]) -> None:
    assert spectral_norm(kind(4, 3))(torch.randn(2, 4, 8, 8)).isfinite().all()
    x = torch.randn(2, 4, 8, 8)
    layer = kind(4, 3)
    assert layer.to("meta")(x.to("meta")).shape == kind(4, 3)(x).shape


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize("downsampling", DOWNSAMPLINGS)
@pytest.mark.parametrize("size", [(16, 16), (24, 40)])
def test_a_dcgan_has_the_layers_of_its_recipe(upsampling: str, downsampling: str, size: tuple[int, int]) -> None:
    words = {"generator.upsampling": upsampling, "discriminator.downsampling": downsampling}
    recipe = resolve("dcgan", TINY | words | {"data.size": size, "data.channels": 3})
    images = build_generator(recipe)(torch.randn(2, recipe.latent.dim))
    assert images.shape == (2, 3, *size)
    assert build_discriminator(recipe)(images).shape == (2,)
