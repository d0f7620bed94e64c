"""Gradients, updates and layer outputs of one network, layer by layer.

P parameters, L layers. All values stay on the device until they are read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ganglion.vitals.scalars import ROWS, NonFiniteTracker, Reading

__all__ = ["GradientStats", "LayerSignal", "layers_of", "signals"]


NETWORKS = {"g": "generator", "d": "discriminator"}

LOW, HIGH, BINS = -10.0, 2.0, 48
"""Range, in decades, and bins of the histogram of a layer's gradient; values outside are clamped."""


class GradientStats:
    """Measures a network's gradient at every step, and at some steps the update of each layer."""

    def __init__(self, name: str, network: nn.Module, bad: NonFiniteTracker) -> None:
        """`name` is g or d, the suffix of every key; `bad` checks the gradients' norms."""
        self.name, self.network, self._bad = name, network, bad
        self._names, self._weights = zip(*network.named_parameters(), strict=True)
        self._titles = [f"{NETWORKS[name]}.{parameter} (gradient)" for parameter in self._names]
        self.layers = layers_of(network)
        self.step, self.closely = 0, False
        self._before: list[Tensor] | None = None
        self._trained: list[bool] = []  # by layer: whether it has a gradient at the close look
        self._forget()

    def _forget(self) -> None:
        self._steps = 0
        self._updates = [0] * len(self.layers)
        self._moved = self._gradient = None  # type: Tensor | None
        self._sums: Tensor | None = None  # of the norms (P,), and of the norm of all: (P + 1,)
        self._most: Tensor | None = None
        self._norms: list[Tensor] = []

    def after_backward(self, scale: float = 1.0) -> None:
        """Call after the backward pass and before the optimiser's step. The gradient is divided by `scale` (loss scaling)."""
        for reading in self.gradient(scale):
            reading.keep()

    def after_step(self) -> None:
        """Call after the optimiser's step; measures updates in the steps in which `closely` is set."""
        for reading in self.update():
            reading.keep()

    @torch.no_grad()
    def gradient(self, scale: float = 1.0) -> list[Reading]:
        """What `after_backward` measures, to be kept later: the norms (P,), and at a close look the histogram (BINS,)."""
        gradients = [weight.grad for weight in self._weights]
        present = [gradient for gradient in gradients if gradient is not None]
        if not present:
            return []
        found = [norm if norm.dtype == torch.float32 else norm.float() for norm in torch._foreach_norm(present)]
        if len(present) < len(gradients):
            rest, none = iter(found), found[0].new_zeros(())
            found = [none if gradient is None else next(rest) for gradient in gradients]
        norms = torch.stack(found)  # (P,)
        readings = [Reading(self._keep_norms, (norms if scale == 1 else norms / scale,))]
        if self.closely:
            self._trained = [weight.grad is not None for weight in self.layers.values()]
            first = next((weight.grad for weight in self.layers.values() if weight.grad is not None), None)
            if first is not None:
                readings.append(Reading(self._keep_decades, (_decades(first / scale),)))
            self._before = [weight.detach().clone() for weight in self.layers.values()]
        return readings

    @torch.no_grad()
    def update(self) -> list[Reading]:
        """What `after_step` measures, to be kept later: at a close look the updates of the layers (L,)."""
        if not self._before:
            return []
        moved = torch._foreach_sub([weight.detach() for weight in self.layers.values()], self._before)
        sizes = torch.stack([torch.stack(torch._foreach_norm(moved)), torch.stack(torch._foreach_norm(self._before))])
        self._before = None
        return [Reading(self._keep_moved, (sizes[0] / sizes[1].clamp_min(1e-12),))]

    def _keep_norms(self, norms: Tensor) -> None:
        self._bad.check(f"gradient {self.name}", self._titles, norms, self.step)
        self._norms.append(norms)
        if len(self._norms) >= ROWS:
            self._sum_up()
        self._steps += 1

    def _keep_decades(self, counts: Tensor) -> None:
        self._gradient = counts if self._gradient is None else self._gradient + counts

    def _keep_moved(self, ratios: Tensor) -> None:
        self._moved = ratios if self._moved is None else self._moved + ratios
        self._updates = [count + there for count, there in zip(self._updates, self._trained, strict=True)]

    def _sum_up(self) -> None:
        rows = torch.stack(self._norms)  # (S, P)
        totals = rows.norm(dim=1)
        sums, most = torch.cat([rows.sum(0), totals.sum()[None]]), totals.amax()
        self._sums = sums if self._sums is None else self._sums + sums
        self._most = most if self._most is None else torch.maximum(self._most, most)
        self._norms = []

    def read(self) -> dict[str, Any]:
        """Means over the steps since the last read, by key; empty where the network has not been updated.

        `grad_*`: norm of the whole gradient; `grad_*_max`: its maximum; `grad_*_first`, `grad_*_last`: of the first and last
        layer. `update_*`: median of |update| / |weights| of a step over the layers that have a gradient. `weight_*`: norm of
        all weights.
        `layers_*`: by layer, [gradient, weight, update]. `first_gradient_*`: histogram of the first layer's gradient.
        """
        if self._norms:
            self._sum_up()
        if self._sums is None or self._most is None:
            return {}
        weights = torch.stack(torch._foreach_norm([weight.detach() for weight in self._weights])).float()  # (P,)
        *means, mean_total = (self._sums / self._steps).tolist()
        norms = dict(zip(self._names, weights.tolist(), strict=True))
        by_name = dict(zip(self._names, means, strict=True))
        sums = self._moved.tolist() if self._moved is not None else [None] * len(self.layers)
        ratios = [total and total / max(1, count) for total, count in zip(sums, self._updates, strict=True)]
        layers = {
            _layer(name): [by_name[name], norms[name], ratio] for name, ratio in zip(self.layers, ratios, strict=True)
        }
        found: dict[str, Any] = {
            "grad": mean_total,
            "grad_max": float(self._most),
            "weight": float(weights.norm()),
            "layers": layers,
        }
        if layers:
            trained = [gradient for gradient, _, _ in layers.values() if gradient] or [0.0]
            found |= {"grad_first": trained[0], "grad_last": trained[-1]}
        moved = sorted(ratio for ratio, count in zip(ratios, self._updates, strict=True) if count)
        if moved:
            found["update"] = moved[len(moved) // 2]
        if self._gradient is not None:
            found["first_gradient"] = {"low": LOW, "high": HIGH, "counts": [int(n) for n in self._gradient.tolist()]}
        self._forget()
        return {_key(name, self.name): value for name, value in found.items()}


def layers_of(network: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters with at least two axes, by name, in the order of the network: weights of layers, without biases."""
    named = {name: weight for name, weight in network.named_parameters() if weight.ndim > 1}
    return named or dict(network.named_parameters())


def _decades(gradient: Tensor) -> Tensor:
    """Histogram (BINS,) of log10 of the magnitudes."""
    magnitudes = gradient.float().abs().clamp(10**LOW, 10**HIGH).log10()
    if not torch.are_deterministic_algorithms_enabled():
        return torch.histc(magnitudes, BINS, LOW, HIGH)
    bins = ((magnitudes - LOW) * (BINS / (HIGH - LOW))).long().clamp_(0, BINS - 1).flatten()
    return magnitudes.new_zeros(BINS).scatter_add_(0, bins, torch.ones_like(magnitudes).flatten())


def _layer(name: str) -> str:
    """A layer's name, without the suffixes of spectral and weight norm."""
    return re.sub(r"(\.parametrizations)?\.weight(_orig|_v)?(\.original\d*)?$", "", name)


def _key(name: str, player: str) -> str:
    head, _, tail = name.partition("_")
    return f"{head}_{player}_{tail}" if tail and head == "grad" else f"{name}_{player}"


WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd)


class LayerSignal(NamedTuple):
    """Signal and gradient of one layer on one batch."""

    name: str
    output: float
    """Root mean square of the layer's output, before norm and non-linearity."""
    gradient: float
    """Norm of the loss's gradient at its weight."""
    weight: float
    """Norm of its weight."""


def signals(network: nn.Module, loss: Callable[[], Tensor]) -> list[LayerSignal]:
    """Signals of all layers, in the order of their use in `loss`, which must call `network`."""
    sizes: dict[str, Tensor] = {}
    names: dict[nn.Module, str] = {
        module: name for name, module in network.named_modules() if isinstance(module, WEIGHTED)
    }

    def record_output(module: nn.Module, _inputs: object, output: Tensor) -> None:
        sizes.setdefault(names[module], output.detach().float().square().mean().sqrt())

    hooks = [module.register_forward_hook(record_output) for module in names]
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
