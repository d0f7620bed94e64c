"""How large a signal is on its way through a network, forward and back: what first weights do to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from ganglion.vitals.player import layers_of

__all__ = ["LayerSignal", "signals"]

WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd)


class LayerSignal(NamedTuple):
    """One layer, at these weights and this batch."""

    name: str
    output: float
    """Root mean square of what the layer puts out, before norm and non-linearity."""
    gradient: float
    """Norm of the loss's gradient at its weight."""
    weight: float
    """Norm of its weight."""


def signals(network: nn.Module, loss: Callable[[], Tensor]) -> list[LayerSignal]:
    """Layers in the order in which they are used while `loss` is computed, which has to use `network`."""
    sizes: dict[str, Tensor] = {}
    names: dict[nn.Module, str] = {
        module: name for name, module in network.named_modules() if isinstance(module, WEIGHTED)
    }

    def look(module: nn.Module, _inputs: object, output: Tensor) -> None:
        sizes.setdefault(names[module], output.detach().float().square().mean().sqrt())

    hooks = [module.register_forward_hook(look) for module in names]
    try:
        network.zero_grad(set_to_none=True)
        loss().backward()  # type: ignore[no-untyped-call]
    finally:
        for hook in hooks:
            hook.remove()
    weights = {
        name.rpartition(".")[0].removesuffix(".parametrizations.weight"): w for name, w in layers_of(network).items()
    }
    found = []
    for name, size in sizes.items():
        weight = weights.get(name)
        if weight is not None and weight.grad is not None:
            found.append(LayerSignal(name, float(size), float(weight.grad.norm()), float(weight.detach().norm())))
    network.zero_grad(set_to_none=True)
    return found
