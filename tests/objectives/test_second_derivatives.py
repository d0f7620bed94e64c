"""Convolutions for penalties on gradients: the numbers of PyTorch's own, in every geometry, under autocast and in networks."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

from ganglion.networks.build import build_discriminator
from ganglion.objectives.second_derivatives import (
    ConvolutionsTwiceDifferentiated,
    gradients_for_inputs,
    twice_differentiated,
)
from ganglion.recipe.resolve import resolve
from operations import Operations
from tiny import TINY

GEOMETRIES: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "plain": (nn.Conv2d, {"kernel_size": 3}),
    "strided": (nn.Conv2d, {"kernel_size": 4, "stride": 2, "padding": 1}),
    "of groups": (nn.Conv2d, {"kernel_size": 3, "padding": 1, "groups": 2}),
    "dilated": (nn.Conv2d, {"kernel_size": (3, 1), "dilation": (2, 1), "padding": (1, 0), "bias": False}),
    "transposed": (nn.ConvTranspose2d, {"kernel_size": 4, "stride": 2, "padding": 1}),
    "transposed, padded, of groups": (nn.ConvTranspose2d, {"kernel_size": 3, "stride": 2, "output_padding": 1, "groups": 2}),
    "padding by name": (nn.Conv2d, {"kernel_size": 3, "padding": "same"}),
}  # fmt: skip


def layer_of(kind: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    make, settings = GEOMETRIES[kind]
    return make(4, 2, **settings).double(), torch.randn(2, 4, 6, 6, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("kind", GEOMETRIES)
def test_first_and_second_derivatives_are_those_of_finite_differences(kind: str) -> None:
    layer, x = layer_of(kind)
    names, weights = zip(*layer.named_parameters(), strict=True)

    def output(x: Tensor, *weights: Tensor) -> Tensor:
        with ConvolutionsTwiceDifferentiated():
            return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), x)

    assert gradcheck(output, (x, *weights))
    assert gradgradcheck(output, (x, *weights))


@pytest.mark.parametrize("kind", GEOMETRIES)
def test_the_output_is_pytorchs(kind: str) -> None:
    layer, x = layer_of(kind)
    with ConvolutionsTwiceDifferentiated():
        found = layer(x)
    assert torch.allclose(found, layer(x), rtol=1e-12, atol=1e-12)


def test_an_image_without_a_batch_is_left_to_pytorch() -> None:
    layer, x = layer_of("strided")
    with ConvolutionsTwiceDifferentiated():
        assert torch.allclose(layer(x[0]), layer(x)[0], rtol=1e-12, atol=1e-12)


def penalty_gradients(recipe: str, ours: bool, autocast: bool = False) -> list[Tensor]:
    """Of a penalty on D's gradient, for D's weights."""
    torch.manual_seed(0)
    discriminator = build_discriminator(resolve(recipe, TINY | {"data.size": 16, "data.channels": 3}))
    x = torch.randn(4, 3, 16, 16, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        if ours:
            with ConvolutionsTwiceDifferentiated():
                logits = discriminator(x).float()
        else:
            logits = discriminator(x).float()
    with gradients_for_inputs():
        (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    weights = [weight for weight in discriminator.parameters() if weight.ndim > 1]
    found = torch.autograd.grad(slope.square().sum(), weights, allow_unused=True)
    return [gradient for gradient in found if gradient is not None]


@pytest.mark.parametrize("recipe", ["dcgan", "wgan-gp", "r3gan", "fast", "sngan"])
@pytest.mark.parametrize(("autocast", "tolerance"), [(False, 1e-4), (True, 0.1)])
def test_a_penalty_on_the_gradient_of_each_family_has_the_same_gradients(
    recipe: str, autocast: bool, tolerance: float
) -> None:
    plain, ours = penalty_gradients(recipe, False, autocast), penalty_gradients(recipe, True, autocast)
    assert len(ours) == len(plain) > 0
    for expected, found in zip(plain, ours, strict=True):
        assert (found - expected).norm() <= tolerance * expected.norm() + 1e-7


@pytest.mark.parametrize("groups", [1, 4])
def test_a_penalty_costs_as_many_operations_as_with_pytorchs_own(groups: int) -> None:
    layer, x = nn.Conv2d(16, 16, 3, padding=1, groups=groups, bias=False), torch.randn(2, 16, 8, 8, requires_grad=True)
    counted = []
    for context in (nullcontext, ConvolutionsTwiceDifferentiated):
        with Operations() as operations:
            with context():
                y = layer(x)
            with gradients_for_inputs():
                (slope,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
            slope.square().sum().backward()
        counted.append(operations.total)
    once = 2 * (2 * 8 * 8) * 9 * 16 * 16 // groups
    assert counted == [6 * once] * 2


def test_it_is_used_on_a_cuda_device_alone() -> None:
    assert isinstance(twice_differentiated(torch.device("cuda")), ConvolutionsTwiceDifferentiated)
    assert not isinstance(twice_differentiated(torch.device("cpu")), ConvolutionsTwiceDifferentiated)
