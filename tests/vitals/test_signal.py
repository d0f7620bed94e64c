from __future__ import annotations

import pytest
import torch
from torch import nn

from ganglion.vitals.signal import signals


def test_sizes_are_those_of_the_layers_in_the_order_of_use() -> None:
    torch.manual_seed(0)
    net = nn.ModuleDict({"last": nn.Linear(4, 1), "first": nn.Linear(3, 4)})
    x = torch.randn(8, 3)
    found = signals(net, lambda: net["last"](net["first"](x).relu()).square().mean())
    assert [layer.name for layer in found] == ["first", "last"]
    hidden = net["first"](x)
    assert found[0].output == pytest.approx(float(hidden.detach().square().mean().sqrt()), rel=1e-5)
    net["last"](hidden.relu()).square().mean().backward()
    assert found[0].gradient == pytest.approx(float(net["first"].weight.grad.norm()), rel=1e-5)
    assert found[1].weight == pytest.approx(float(net["last"].weight.detach().norm()), rel=1e-5)


def test_no_gradient_and_no_hook_stays_behind() -> None:
    net = nn.Sequential(nn.Linear(3, 3))
    signals(net, lambda: net(torch.ones(2, 3)).sum())
    assert all(weight.grad is None for weight in net.parameters())
    assert len(net[0]._forward_hooks) == 0
