from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from ganglion.runs.optimizer_state import load_optimizers, optimizer_tensors


def trained(kind: type[Optimizer], steps: int) -> tuple[nn.Module, Optimizer]:
    network = nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last)
    optimizer = kind(network.parameters(), lr=1e-3)  # type: ignore[call-arg]
    for _ in range(steps):
        optimizer.zero_grad()
        network(torch.ones(1, 2, 4, 4)).square().sum().backward()
        optimizer.step()
    return network, optimizer


@pytest.mark.parametrize("kind", [Adam, AdamW, RMSprop, SGD])
def test_the_state_of_an_optimizer_comes_back_as_it_was(kind: type[Optimizer]) -> None:
    _, before = trained(kind, 3)
    network, after = trained(kind, 0)
    tensors = optimizer_tensors({"generator": before})
    assert all(name.startswith("generator/") for name in tensors)
    load_optimizers({"discriminator/9/momentum": torch.ones(1), **tensors}, {"generator": after})
    again = optimizer_tensors({"generator": after})
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())
    for weight, state in after.state.items():
        moments = [value for value in state.values() if torch.is_tensor(value) and value.shape == weight.shape]
        assert all(moment.stride() == weight.stride() for moment in moments)
    assert network is not None
