"""Dead units: feature maps that say the same whatever they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["DeadUnits", "watching_units"]

ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.SiLU, nn.ELU, nn.GELU, nn.PReLU, nn.SELU, nn.CELU, nn.Mish, nn.ReLU6)
STILL = 1e-4  # of the layer's own scale: a unit that varies by less carries nothing


class DeadUnits:
    """Collects, layer by layer, how many units stood still."""

    def __init__(self) -> None:
        self._dead: list[Tensor] = []
        self._units = 0

    def look(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        units = output.detach().float().flatten(2).transpose(1, 2).flatten(0, 1) if output.ndim > 2 else output.float()
        scale = units.square().mean().sqrt()  # units are (N * places, C)
        self._dead.append((units.std(0, correction=0) <= STILL * scale).sum())
        self._units += units.shape[1]

    def share(self) -> float | None:
        """Of all units that were seen, in [0, 1]; None where no layer was."""
        return float(torch.stack(self._dead).sum()) / self._units if self._units else None


@contextmanager
def watching_units(network: nn.Module) -> Iterator[DeadUnits]:
    """While it lasts, every activation layer of `network` is looked at."""
    found = DeadUnits()
    hooks = [m.register_forward_hook(found.look) for m in network.modules() if isinstance(m, ACTIVATIONS)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
