"""Looks into a network without leaving a trace: eval mode for a while, and units that give the same output to every image.

N images, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["DeadUnits", "counting_dead_units", "differs_by_mode", "in_eval_mode"]

DIFFERENT = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


@contextmanager
def in_eval_mode(network: nn.Module) -> Iterator[None]:
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


ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.SiLU, nn.ELU, nn.GELU, nn.PReLU, nn.SELU, nn.CELU, nn.Mish, nn.ReLU6)
STILL = 1e-4  # of the layer's own scale: a unit that varies by less carries nothing


class DeadUnits:
    """Counts, layer by layer, the units whose output does not vary over images and positions."""

    def __init__(self) -> None:
        self._dead: list[Tensor] = []
        self._units = 0

    def count(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        units = output.detach().float().flatten(2).transpose(1, 2).flatten(0, 1) if output.ndim > 2 else output.float()
        scale = units.square().mean().sqrt()  # units are (N * places, C)
        self._dead.append((units.std(0, correction=0) <= STILL * scale).sum())
        self._units += units.shape[1]

    def share(self) -> float | None:
        """Of all units that were seen, in [0, 1]; None where no layer was."""
        return float(torch.stack(self._dead).sum()) / self._units if self._units else None


@contextmanager
def counting_dead_units(network: nn.Module) -> Iterator[DeadUnits]:
    """While it lasts, the outputs of every activation layer of `network` are counted."""
    found = DeadUnits()
    hooks = [m.register_forward_hook(found.count) for m in network.modules() if isinstance(m, ACTIVATIONS)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
