"""What the autograd graph tells: whether images come from G, which outputs of D are computed from others, and by which
function an output ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

__all__ = ["ends_in", "is_inside", "leads_to"]

MOST_NODES = 20_000
SHAPE_ONLY = (
    "View",
    "UnsafeView",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Mean",
    "Alias",
    "Clone",
    "ToCopy",
    "Select",
    "Slice",
    "Permute",
    "Transpose",
    "Gather",
    "Cat",
    "Split",
)


def leads_to(images: Tensor, weights: set[int]) -> bool:
    """Whether the graph of a tensor leads to one of the weights, which are given by their `id`."""
    return any(id(getattr(node, "variable", None)) in weights for node in _nodes(images.grad_fn))


def is_inside(output: Tensor, other: Tensor) -> bool:
    """Whether `other` is computed from `output`."""
    wanted = output.grad_fn
    return wanted is not None and other.grad_fn is not wanted and any(node is wanted for node in _nodes(other.grad_fn))


def ends_in(output: Tensor, network: nn.Module) -> str | None:
    """The name of the function by which an output ends, without its changes of shape: Sigmoid, Tanh, ...

    None where the graph does not tell; for a compiled network the class of its last layer.
    """
    node: Any = output.grad_fn
    for _ in range(8):
        name = "" if node is None else node.name().removesuffix("Backward0").removesuffix("Backward")
        if node is None or "Compiled" in name:
            return _last_layer(network)
        if name != "T" and not name.startswith(SHAPE_ONLY):
            return str(name)
        node = node.next_functions[0][0] if node.next_functions else None
    return None


def _last_layer(network: nn.Module) -> str | None:
    leaves = [module for module in network.modules() if not list(module.children())]
    return type(leaves[-1]).__name__ if leaves and leaves[-1] is not network else None


def _nodes(start: Any) -> Iterator[Any]:
    """Every node of a graph, each once."""
    waiting: list[Any] = [start]
    seen: set[Any] = set()
    while waiting and len(seen) < MOST_NODES:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        waiting += [following for following, _ in node.next_functions]
