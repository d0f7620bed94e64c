"""Networks and optimisers of other programs: their wrappers and outputs, and inspection without side effects."""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganglion.vitals.inspection import in_eval_mode

__all__ = [
    "as_images",
    "discriminator_output",
    "ends_in_sigmoid",
    "images_in",
    "inner_network",
    "inner_optimizer",
    "logits_of",
    "per_image_mean",
    "share_of_weights",
    "tensors_in",
    "without_side_effects",
]


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
    raise TypeError(f"expected a torch.optim.Optimizer or a wrapper with one as .optimizer; got {type(optimizer)}")


def share_of_weights(optimizer: Optimizer, network: nn.Module) -> float:
    """Share of the network's weights that are in the optimiser, in [0, 1]."""
    optimised = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    sizes = [(weight.numel(), id(weight) in optimised) for weight in network.parameters()]
    return sum(size for size, included in sizes if included) / max(1, sum(size for size, _ in sizes))


LEAST_PROBABILITY = 1e-7
SHAPE_ONLY = (
    "View",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Mean",
    "Alias",
    "Clone",
    "ToCopy",
    "Select",
    "Permute",
)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples, lists and mappings, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from tensors_in(inner)


def discriminator_output(output: Any, images: int) -> Tensor | None:
    """D's scores among all that it returns: of the float tensors with a row per image, the one with the fewest values."""
    candidates = [t for t in tensors_in(output) if t.is_floating_point() and t.ndim and t.shape[0] == images]
    return min(candidates, key=lambda tensor: tensor.numel(), default=None)


def images_in(output: Any) -> Tensor | None:
    """G's images among all that it returns: the largest float tensor."""
    return max((t for t in tensors_in(output) if t.is_floating_point() and t.ndim >= 2), key=Tensor.numel, default=None)


def per_image_mean(judgement: Tensor) -> Tensor:
    """(N,): the mean over an image's scores, for a D with several scores per image."""
    return judgement.detach().float().flatten(1).mean(1) if judgement.ndim > 1 else judgement.detach().float()


def logits_of(rows: Tensor, probabilities: bool) -> Tensor:
    """Logits (N,) of D's scores; probabilities are inverted through the sigmoid."""
    return torch.logit(rows, LEAST_PROBABILITY) if probabilities else rows


def ends_in_sigmoid(network: nn.Module, judgement: Tensor) -> bool | None:
    """Whether D's scores are outputs of a sigmoid, by the autograd graph; None where that is unknown."""
    node = judgement.grad_fn
    for _ in range(8):
        name = "" if node is None else node.name()
        if name.startswith("Sigmoid"):
            return True
        if node is None or "Compiled" in name:
            return _last_is_sigmoid(network)
        if not name.startswith(SHAPE_ONLY):
            return False
        node = node.next_functions[0][0] if node.next_functions else None
    return None


def _last_is_sigmoid(network: nn.Module) -> bool | None:
    leaves = [module for module in network.modules() if not list(module.children())]
    return isinstance(leaves[-1], nn.Sigmoid) if leaves else None


def as_images(values: Tensor) -> Tensor | None:
    """Float (N, C, H, W) of images that are flat or lack the channel axis; None for other tensors."""
    if values.ndim == 4 and values.shape[1] in (1, 2, 3, 4):
        return values
    if values.ndim == 3:
        return values[:, None]
    if values.ndim == 2:
        for channels in (1, 3):
            side = math.isqrt(values.shape[1] // channels)
            if side >= 8 and channels * side * side == values.shape[1]:
                return values.view(-1, channels, side, side)
    return None


@contextmanager
def without_side_effects(*networks: nn.Module) -> Iterator[None]:
    """Context with the networks in eval mode, without gradients and without other forward hooks; afterwards random states,
    modes, buffers and hooks are restored.
    """
    devices = sorted({p.device.index for n in networks for p in n.parameters() if p.device.type == "cuda"})
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 (the global state is to be restored)
    buffers = [(buffer, buffer.detach().clone()) for network in networks for buffer in network.buffers()]
    modules = [module for network in networks for module in network.modules()]
    hooks = [(module, module._forward_hooks, module._compiled_call_impl) for module in modules]
    for module in modules:
        module._forward_hooks, module._compiled_call_impl = OrderedDict(), None
    try:
        with torch.random.fork_rng(devices), torch.no_grad(), all_in_eval_mode(networks):
            yield
    finally:
        for module, kept, compiled in hooks:
            module._forward_hooks, module._compiled_call_impl = kept, compiled
        for buffer, kept_values in buffers:
            if not torch.equal(buffer, kept_values):
                buffer.copy_(kept_values)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


@contextmanager
def all_in_eval_mode(networks: tuple[nn.Module, ...]) -> Iterator[None]:
    with in_eval_mode(nn.ModuleList(networks)):
        yield
