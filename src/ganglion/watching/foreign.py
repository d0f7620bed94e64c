"""Networks and optimisers of other programs, inside their wrappers."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import Optimizer

__all__ = ["callable_parts", "inner_network", "inner_optimizer", "is_compiled", "share_of_weights"]


def inner_network(network: nn.Module) -> nn.Module:
    """The network inside DataParallel, DistributedDataParallel, Fabric's and torch.compile's wrappers."""
    for name in ("_orig_mod", "module", "_forward_module"):
        inner = getattr(network, name, None)
        if isinstance(inner, nn.Module) and len(list(network.children())) == 1 and not list(network.parameters(False)):
            return inner_network(inner)
    return network


def is_compiled(network: nn.Module) -> bool:
    """Whether torch.compile replaces its forward pass, so that hooks inside would change what is compiled."""
    return hasattr(network, "_orig_mod") or network._compiled_call_impl is not None


def callable_parts(network: nn.Module) -> list[nn.Module]:
    """The modules whose calls are those of the network: itself, or the members of a ModuleList or ModuleDict."""
    if isinstance(network, nn.ModuleList | nn.ModuleDict):
        return [part for member in network.children() for part in callable_parts(member)]
    return [network]


def inner_optimizer(optimizer: Any) -> Optimizer:
    """The PyTorch optimiser inside wrappers that keep it as `.optimizer`. Raises TypeError where there is none."""
    found = optimizer
    for _ in range(8):  # wrappers may be optimisers themselves, whose step is that of the inner one
        inner = getattr(found, "optimizer", None) or getattr(found, "_optimizer", None)
        if inner is None or inner is found:
            break
        found = inner
    if isinstance(found, Optimizer):
        return found
    raise TypeError(f"expected a torch.optim.Optimizer or a wrapper with one as .optimizer; got {type(optimizer)}")


def weights_in(optimizer: Optimizer) -> set[int]:
    """The weights of an optimiser, by `id`."""
    return {id(weight) for group in optimizer.param_groups for weight in group["params"]}


def share_of_weights(optimizer: Optimizer, network: nn.Module) -> float:
    """Share of the network's weights that are in the optimiser, in [0, 1]."""
    optimised = weights_in(optimizer)
    sizes = [(weight.numel(), id(weight) in optimised) for weight in network.parameters()]
    return sum(size for size, included in sizes if included) / max(1, sum(size for size, _ in sizes))
