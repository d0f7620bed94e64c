from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, relu

from ganglion.networks.resnet import Down, Up
from ganglion.recipe.networks import ResnetDiscriminator, ResnetGenerator


def some(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_a_block_of_g_is_shortcut_and_two_convolutions_by_hand() -> None:
    block, x = Up(6, 4, ResnetGenerator(norm="none"), classes=0), some(2, 6, 5, 5)
    before = x.clone()
    inner = block.convolution2(relu(block.convolution1(interpolate(relu(x), scale_factor=2))))
    expected = block.shortcut(interpolate(x, scale_factor=2)) + inner
    assert torch.allclose(block(x, None), expected, atol=1e-5)
    assert torch.equal(x, before)


def test_a_block_of_d_is_shortcut_and_two_convolutions_by_hand() -> None:
    for first in (False, True):
        block, x = Down(6, 4, ResnetDiscriminator(), first), some(2, 6, 8, 8)
        before = x.clone()
        inner = block.convolution2(relu(block.convolution1(x if first else relu(x))))
        assert torch.allclose(block(x), avg_pool2d(inner, 2) + avg_pool2d(block.shortcut(x), 2), atol=1e-5)
        assert torch.equal(x, before)  # no non-linearity has written over what the shortcut reads


def test_the_first_block_of_d_sees_the_image_uncut() -> None:
    block, x = Down(3, 4, ResnetDiscriminator(norm="layer"), first=True), -some(2, 3, 8, 8).abs()
    assert not torch.allclose(block(x), block(torch.zeros_like(x)))
