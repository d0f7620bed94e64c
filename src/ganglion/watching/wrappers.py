"""What lies inside the wrappers that people put around networks and optimisers."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import Optimizer

__all__ = ["inner_network", "inner_optimizer", "share_moved"]


def inner_network(network: nn.Module) -> nn.Module:
    """The network inside DataParallel, DistributedDataParallel, Fabric's and torch.compile's wrappers."""
    for name in ("_orig_mod", "module", "_forward_module"):
        inner = getattr(network, name, None)
        if isinstance(inner, nn.Module) and len(list(network.children())) == 1 and not list(network.parameters(False)):
            return inner_network(inner)
    return network


def inner_optimizer(optimizer: Any) -> Optimizer:
    """The PyTorch optimiser inside wrappers that keep it as `.optimizer`. Raises TypeError where there is none."""
    found = optimizer
    for _ in range(8):
        if isinstance(found, Optimizer):
            return found
        found = getattr(found, "optimizer", None)
    raise TypeError(f"a torch.optim.Optimizer is watched (or a wrapper with one as .optimizer); got {type(optimizer)}")


def share_moved(optimizer: Optimizer, network: nn.Module) -> float:
    """Share of the network's weights that the optimiser moves, in [0, 1]."""
    moved = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    sizes = [(weight.numel(), id(weight) in moved) for weight in network.parameters()]
    return sum(size for size, mine in sizes if mine) / max(1, sum(size for size, _ in sizes))
