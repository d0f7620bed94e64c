"""A network at rest: looked at in eval mode without leaving a trace on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

__all__ = ["at_rest", "differs_by_mode"]

DIFFERENT = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


@contextmanager
def at_rest(network: nn.Module) -> Iterator[None]:
    """While it lasts, `network` is in eval mode; each of its modules then gets its own mode back."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def differs_by_mode(network: nn.Module) -> bool:
    """Whether a layer of it does another thing in eval mode than in training."""
    return any(isinstance(layer, DIFFERENT) for layer in network.modules())
