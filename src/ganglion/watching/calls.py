"""What is seen of one forward pass of G or D: tensors among its arguments and outputs, and gradients at D's outputs.

N images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganglion.watching.fingerprints import Marks, Match

__all__ = ["Arguments", "DCall", "GCall", "Output", "Path", "Pull", "View", "graph_task", "leaves", "rebuilt"]

Path = tuple[Any, ...]
"""Where a tensor is among nested arguments: indices and keys."""


def leaves(value: Any, at: Path = ()) -> Iterator[tuple[Path, Tensor]]:
    """Every tensor in nested tuples, lists, mappings and dataclasses, in order, with its place."""
    if isinstance(value, Tensor):
        yield at, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, (*at, key))
    elif isinstance(value, tuple | list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*at, index))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for member in dataclasses.fields(value):
            yield from leaves(getattr(value, member.name, None), (*at, member.name))


def rebuilt(value: Any, new: Mapping[Path, Tensor], at: Path = ()) -> Any:
    """The same nested value with other tensors at some places."""
    if at in new:
        return new[at]
    if isinstance(value, dict):
        return {key: rebuilt(inner, new, (*at, key)) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        parts = [rebuilt(inner, new, (*at, index)) for index, inner in enumerate(value)]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


@dataclass(eq=False)
class Arguments:
    """Arguments of a call: positional ones under key 0, named ones under key 1."""

    tree: tuple[tuple[Any, ...], dict[str, Any]]
    module: str = ""
    """The name of the module that was called inside the network; empty for the network itself."""

    def rows(self, n: int) -> dict[Path, Tensor]:
        """Tensors with a row for each of n images, detached."""
        return {
            at: tensor.detach().as_subclass(Tensor)
            for at, tensor in leaves(self.tree)
            if tensor.ndim and len(tensor) == n
        }

    def stripped(self, n: int) -> Arguments:
        """The same without the rows, to be kept: other tensors are copied."""
        rows = self.rows(n)
        new = {at: t.new_empty(0) if at in rows else t.detach().clone() for at, t in leaves(self.tree)}
        positional, named = rebuilt(self.tree, new)
        return Arguments((positional, named), self.module)

    def with_rows(self, new: Mapping[Path, Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        positional, named = rebuilt(self.tree, new)
        return positional, named


@dataclass(eq=False)
class GCall:
    """A forward pass of G."""

    number: int
    arguments: Arguments
    outputs: list[Tensor]
    """Float tensors among its outputs, detached."""
    training: bool
    """In train mode and with gradients."""
    evaluating: bool = False
    """In eval mode and with gradients."""


@dataclass(eq=False)
class View:
    """One way to read images among D's arguments: a tensor, or some of its channels."""

    at: Path
    part: str
    """whole, first or last (channels or columns), packed (several images in a row)."""
    images: Tensor
    marks: Marks
    match: Match | None = None
    """Which of them G has generated; None: not looked for yet."""

    @property
    def key(self) -> tuple[Path, str]:
        return self.at, self.part


@dataclass(eq=False)
class Output:
    """One of D's outputs."""

    index: int
    rows: Tensor
    """(R, V) for few values per row, else their means (R, 1); detached, float32."""
    channels: int
    """Values per row and position: 1 for a map of scores."""
    values: int
    """Values per row."""
    sigmoid: bool | None
    """Whether it is that of a sigmoid; None where unknown."""
    error: Tensor | None = None
    """(N, ...): its difference to the images, if it has their shape: a reconstruction."""
    inside_of: set[int] = field(default_factory=set)
    """Other outputs that are computed from this one."""


@dataclass(eq=False)
class Pull:
    """Gradient of one backward pass at one of D's outputs."""

    output: int
    task: int
    """Number of the backward pass."""
    player: str | None
    """g or d: whose optimiser steps next."""
    sums: Tensor
    """(R,): sum over the values of a row."""
    sizes: Tensor
    """(R,): sum of their magnitudes."""
    rows: Tensor | None
    """(R, V) where a row has few values."""
    along_error: tuple[Tensor, Tensor] | None = None
    """(N,) twice: sum over an image of the gradient times `error`, and of the magnitude of the product."""


@dataclass(eq=False)
class DCall:
    """A forward pass of D with gradients."""

    number: int
    n: int
    """Images, or packs of images."""
    arguments: Arguments
    views: list[View]
    from_g: bool
    """Whether the autograd graph of an argument leads to G's weights."""
    attached: bool
    """Whether an argument has an autograd graph."""
    wants_slope: bool
    """Whether an argument is a leaf that requires a gradient, as for penalties."""
    outputs: list[Output]
    pulls: list[Pull] = field(default_factory=list)
    failed: bool = False
    """Whether a gradient at its outputs could not be kept."""
    tasks_of_d: set[int] = field(default_factory=set)
    """Numbers of the backward passes of D's loss."""
    differentiated: bool = False
    """Whether an output was differentiated with `create_graph`, as for penalties."""
    evaluating: bool = False
    """Whether D was in eval mode."""

    def view(self, key: tuple[Path, str]) -> View | None:
        return next((view for view in self.views if view.key == key), None)


def graph_task() -> int:
    """The number of the backward pass that is running; -1 outside of one, and where PyTorch does not tell."""
    current = getattr(torch._C, "_current_graph_task_id", None)
    return -1 if current is None else int(current())
