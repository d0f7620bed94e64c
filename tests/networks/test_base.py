from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganglion.networks.base import Discriminator, Head


class Add(nn.Module):
    """A block whose output is known: its input and a number."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def forward(self, x: Tensor) -> Tensor:
        return x + self.number


def numbered() -> Discriminator:
    return Discriminator([Add(1), Add(10), Add(100)], Head(2, (4, 4)))


X = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("layer", "added"), [(0, 1), (1, 11), (2, 111), (-1, 111), (-3, 1)])
def test_a_trace_gives_what_the_asked_block_gives(layer: int, added: float) -> None:
    logits, features = numbered().trace(X, layer=layer)
    assert logits.shape == (3,)
    assert torch.allclose(features, (X + added).flatten(1))


@pytest.mark.parametrize("layer", [3, -4])
def test_a_block_that_is_not_there_cannot_be_traced(layer: int) -> None:
    with pytest.raises(IndexError):
        numbered().trace(X, layer=layer)


def test_a_logit_is_the_linear_layer_over_all_places_whatever_the_layout_in_memory() -> None:
    head = Head(2, (4, 4))
    weight = head.linear.weight.view(4, 4, 2).permute(2, 0, 1)
    by_hand = (X * weight).sum((1, 2, 3)) + head.linear.bias
    for layout in (torch.contiguous_format, torch.channels_last):
        assert torch.allclose(head(X.contiguous(memory_format=layout)), by_hand, atol=1e-5)


def test_a_pooled_head_sums_over_places() -> None:
    head = Head(2, (4, 4), pooled=True)
    by_hand = X.sum((2, 3)) @ head.linear.weight[0] + head.linear.bias
    assert torch.allclose(head(X), by_hand, atol=1e-5)


def test_the_projection_adds_the_inner_product_with_the_classs_vector() -> None:
    head, labels = Head(2, (4, 4), classes=3), torch.tensor([2, 0, 2])
    assert head.projection is not None
    added = (head.projection.weight[labels] * X.mean((2, 3))).sum(1)
    projection, head.projection = head.projection, None
    plain = head(X)
    head.projection = projection
    assert torch.allclose(head(X, labels), plain + added, atol=1e-5)
