from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganglion.networks.few_channels import ImageConv2d, ImageConvTranspose2d

GEOMETRY = {"kernel_size": 4, "stride": 2, "padding": 1}


def pair(down: bool, channels: int, bias: bool) -> tuple[nn.Module, nn.Module]:
    """A layer of ours and PyTorch's with the same weights, in float64."""
    ends = (channels, 5) if down else (5, channels)
    ours = (ImageConv2d if down else ImageConvTranspose2d)(*ends, bias=bias, **GEOMETRY).double()
    plain = (nn.Conv2d if down else nn.ConvTranspose2d)(*ends, bias=bias, **GEOMETRY).double()
    plain.load_state_dict(ours.state_dict())
    return ours, plain


def derivatives(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Output, gradients, and the gradients of a penalty on the gradient."""
    x = x.clone().requires_grad_()
    out = layer(x)
    (slope,) = torch.autograd.grad(out.sin().sum(), x, create_graph=True)
    second = torch.autograd.grad(slope.square().sum(), [x, *layer.parameters()])
    return [out, slope, *second]


@pytest.mark.parametrize("down", [True, False])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(8, 8), (6, 14)])
def test_output_and_both_derivatives_are_those_of_pytorchs_layer(
    down: bool, channels: int, bias: bool, size: tuple[int, int]
) -> None:
    ours, plain = pair(down, channels, bias)
    x = torch.randn(2, channels if down else 5, *size, dtype=torch.float64)
    for found, expected in zip(derivatives(ours, x), derivatives(plain, x), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("down", [True, False])
def test_on_another_device_it_is_pytorchs_layer(down: bool) -> None:
    ours, plain = (layer.to("meta") for layer in pair(down, 3, False))
    x = torch.empty(2, 3 if down else 5, 8, 8, dtype=torch.float64, device="meta")
    assert ours(x).shape == plain(x).shape


def test_spectral_norm_goes_with_it() -> None:
    ours, plain = (spectral_norm(layer).eval() for layer in pair(True, 3, True))
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(ours(x), plain(x))
