"""What networks return, in the many ways in which people write them: logits, probabilities, tuples, maps, flat images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["as_images", "ends_in_sigmoid", "image_of", "judgement_of", "logits_of", "rows_of", "tensors_in"]

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
    """Every tensor in a nest of tuples, lists and mappings, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from tensors_in(inner)


def judgement_of(output: Any, images: int) -> Tensor | None:
    """D's opinion among all that it returns: of the floats with a row for each image, the one with the fewest numbers."""
    fitting = [t for t in tensors_in(output) if t.is_floating_point() and t.ndim and t.shape[0] == images]
    return min(fitting, key=lambda tensor: tensor.numel(), default=None)


def image_of(output: Any) -> Tensor | None:
    """G's images among all that it returns: the largest tensor of floats."""
    return max((t for t in tensors_in(output) if t.is_floating_point() and t.ndim >= 2), key=Tensor.numel, default=None)


def rows_of(judgement: Tensor) -> Tensor:
    """(N,): what is said of an image as a whole, where D speaks of its parts."""
    return judgement.detach().float().flatten(1).mean(1) if judgement.ndim > 1 else judgement.detach().float()


def logits_of(rows: Tensor, probabilities: bool) -> Tensor:
    """Logits (N,) of what D returned; probabilities are put back through the sigmoid."""
    return torch.logit(rows, LEAST_PROBABILITY) if probabilities else rows


def ends_in_sigmoid(network: nn.Module, judgement: Tensor) -> bool | None:
    """Whether D's opinion is a sigmoid's value, by the way it was computed; None where that cannot be seen."""
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
    """Float (N, C, H, W) of images that are flat or lack an axis; None for what is no image."""
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
