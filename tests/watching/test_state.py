from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganglion.watching.state import Kept, unchanged

COUNT = 0
CACHE: dict[int, Tensor] = {}


class Settings:
    def __init__(self) -> None:
        self.level, self.seen = 1, [1]


class Changing(nn.Module):
    """A forward pass changes all that it can reach."""

    calls = 0

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.vector = nn.Parameter(torch.randn(3), requires_grad=False)
        self.register_buffer("mean", torch.zeros(2))
        self.count, self.history, self.cache, self.names = 0, [], {}, {"a"}  # type: ignore[var-annotated]
        self.noise, self.numpy_noise = torch.Generator().manual_seed(1), np.random.default_rng(0)
        self.loose, self.settings, self.table = [nn.BatchNorm1d(3)], Settings(), np.zeros(3)
        held = [0]
        self.closure = lambda: held.__setitem__(0, held[0] + 1) or held[0]

    def forward(self, x: Tensor) -> Tensor:
        global COUNT
        COUNT += 1
        Changing.calls += 1
        CACHE[len(CACHE)] = x
        self.count += self.closure()
        self.history.append(self.count)
        self.cache["x"] = x
        self.names.add("b")
        self.settings.level += 1
        self.settings.seen[0] += 1
        self.table += 1
        self.vector.data = self.layer.weight.data @ self.vector.data
        self.layer.weight.data.mul_(1.01)
        self.mean = (self.mean + 1).clone()
        self.new = torch.ones(1)
        random.random()
        np.random.rand()  # noqa: NPY002
        self.numpy_noise.normal()
        return self.loose[0](self.layer(x)) * torch.randn(1, generator=self.noise) * torch.randn(1)


def state_of(net: Changing) -> list[Any]:
    tensors = [
        net.layer.weight,
        net.vector,
        net.mean,
        net.noise.get_state(),
        net.loose[0].running_mean,
        torch.get_rng_state(),
    ]
    plain = [net.count, list(net.history), dict(net.cache), set(net.names), net.settings.level, list(net.settings.seen)]
    plain += [COUNT, Changing.calls, dict(CACHE), random.getstate(), net.table.tolist(), sorted(vars(net))]
    plain += [np.random.get_state()[1].tolist(), net.numpy_noise.bit_generator.state, net.loose[0].training]  # noqa: NPY002
    closure = net.closure.__closure__ or ()
    return [*(tensor.clone() for tensor in tensors), *plain, list(closure[0].cell_contents)]


def test_everything_that_a_forward_pass_changes_is_put_back() -> None:
    net = Changing()
    before, versions = state_of(net), [weight._version for weight in net.parameters()]
    with unchanged(net) as kept:
        first = net(torch.ones(4, 3))
        assert not net.loose[0].training
    after = state_of(net)
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one, other) if isinstance(one, Tensor) else one == other
    assert versions == [weight._version for weight in net.parameters()]
    assert kept.lost == []
    with unchanged(net):
        assert torch.equal(net(torch.ones(4, 3)), first)  # the same random numbers in each look


def test_a_graph_that_waits_for_its_backward_pass_is_still_valid() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    loss = net(torch.ones(4, 3)).sum()
    with unchanged(net):
        net(torch.zeros(4, 3))
    loss.backward()


@pytest.mark.parametrize("thing", [itertools.count(), (n for n in range(3)), iter([1])])
def test_what_cannot_be_put_back_is_named(thing: Any) -> None:
    net = nn.Linear(2, 2)
    net.levels = thing
    assert Kept(net).lost == [f"Linear.levels ({type(thing).__name__})"]


def test_an_overridden_train_is_not_called() -> None:
    class Loud(nn.Linear):
        def train(self, mode: bool = True) -> Loud:
            raise AssertionError(mode)

    net = Loud(2, 2)
    with unchanged(net):
        assert not net.training
    assert net.training
