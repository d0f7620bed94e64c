"""Inspection of a network without side effects: temporary eval mode, and dead units.

N images, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["DeadUnits", "count_dead_units", "differs_by_mode", "in_eval_mode"]

DIFFERENT = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


@contextmanager
def in_eval_mode(network: nn.Module) -> Iterator[None]:
    """Context in which `network` is in eval mode; afterwards each of its modules has its previous mode."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def differs_by_mode(network: nn.Module) -> bool:
    """Whether a layer of `network` behaves differently in eval and train mode."""
    return any(isinstance(layer, DIFFERENT) for layer in network.modules())


ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.SiLU, nn.ELU, nn.GELU, nn.PReLU, nn.SELU, nn.CELU, nn.Mish, nn.ReLU6)
STILL = 1e-4  # of the layer's scale: a unit with a smaller standard deviation counts as dead


class DeadUnits:
    """Counts, layer by layer, units whose output does not vary over images and positions."""

    def __init__(self) -> None:
        self._dead: list[Tensor] = []
        self._units = 0

    def count(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        units = output.detach().float().flatten(2).transpose(1, 2).flatten(0, 1) if output.ndim > 2 else output.float()
        scale = units.square().mean().sqrt()  # units are (N * positions, C)
        deviation = (units - units.mean(0)).square_().mean(0).sqrt()  # std(0) takes eight times as long
        self._dead.append((deviation <= STILL * scale).sum())
        self._units += units.shape[1]

    def share(self) -> float | None:
        """Share of dead units, in [0, 1]; None where no layer was counted."""
        return float(torch.stack(self._dead).sum()) / self._units if self._units else None


@contextmanager
def count_dead_units(network: nn.Module) -> Iterator[DeadUnits]:
    """Context in which dead units of every activation layer of `network` are counted."""
    found = DeadUnits()
    hooks = [m.register_forward_hook(found.count) for m in network.modules() if isinstance(m, ACTIVATIONS)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
