"""Captures a training step on the CPU as a CUDA graph would: the operations with the tensors and numbers they were given.

As with a graph, capturing leaves everything as it was, a replay writes into the same tensors, a number that was read on the
host stays what it was, and reading a tensor's value is an error. Each operation is called again, below autograd.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from ganglion.training.steps import StepResult

__all__ = ["Recorder", "record"]

WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2", "is_nonzero"}
UNMARKED = {"native_batch_norm"}
"""Operations that write into arguments without saying so in their schema."""

RESHAPING = {"unsqueeze_", "squeeze_", "t_", "transpose_", "as_strided_"}
"""Operations that only change what shape a tensor has; each call is kept with the shapes of its time."""


class Recorder(TorchDispatchMode):
    """Notes each operation; `undo` puts back what they changed of tensors and generators that were there before."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self._made: set[int] = set()
        self._before: dict[int, tuple[Tensor, Tensor]] = {}
        self._generators: dict[int, tuple[torch.Generator, Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name in WAITING:
            raise RuntimeError(f"operation not permitted when stream is capturing: {name}")
        self._remember(func, name, args, kwargs)
        made = func(*args, **kwargs)
        for tensor in tensors_in(made):
            if not any(_place(tensor) == _place(given) for given in tensors_in((args, kwargs))):
                self._made.add(_place(tensor))
        if name not in RESHAPING:
            self.calls.append(tree_map(_as_it_is_now, (func, args, kwargs, made)))
        return made

    def _remember(self, func: Any, name: str, args: Any, kwargs: Any) -> None:
        for argument in tree_leaves((args, kwargs)):
            if isinstance(argument, torch.Generator):
                self._generators.setdefault(id(argument), (argument, argument.get_state()))
        if name in UNMARKED or any(a.alias_info and a.alias_info.is_write for a in func._schema.arguments):
            for tensor in tensors_in((args, kwargs)):
                if _place(tensor) not in self._made:
                    self._before.setdefault(_place(tensor), (whole := _whole(tensor), whole.clone()))

    def undo(self) -> None:
        for tensor, value in self._before.values():
            tensor.copy_(value)
        for generator, state in self._generators.values():
            generator.set_state(state)

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, made in self.calls:
            again = func(*args, **kwargs)
            given = {_place(tensor) for tensor in tensors_in((args, kwargs))}
            for old, new in zip(tensors_in(made), tensors_in(again), strict=True):
                if _place(old) not in given:
                    _whole(old).copy_(_whole(new))  # of one value that stands for many, too


def record(step: Callable[[], StepResult], random: torch.Generator) -> tuple[Callable[[], None], StepResult]:
    """As `ganglion.training.replay.Capture` says."""
    recorder = Recorder()
    try:
        with recorder:
            result = step()
    finally:
        recorder.undo()
    return recorder.replay, result


def tensors_in(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _as_it_is_now(leaf: Any) -> Any:
    return leaf.detach() if isinstance(leaf, Tensor) else leaf


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _whole(tensor: Tensor) -> Tensor:
    """The whole memory of a tensor, flat."""
    return torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
