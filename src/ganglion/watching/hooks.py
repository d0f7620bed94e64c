"""Hooks on networks and optimisers that no copy takes along, that no error leaves, and that can be removed at any time.

Networks carry forward hooks. Optimisers carry none: PyTorch's global step hooks see every optimiser, also later ones.
"""

from __future__ import annotations

import contextlib
import copy
import sys
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Protocol

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from ganglion.watching.calls import graph_task

__all__ = ["ForwardHook", "Listener", "OptimizerHooks", "in_ordinary_python"]


STEPS = Optimizer.profile_hook_step.__code__.co_filename

Seen = Callable[[nn.Module, tuple[Any, ...], Mapping[str, Any], Any], None]


class ForwardHook:
    """A forward hook on one module. A deep copy of the module has none; a pickled module has one that does nothing and that
    needs no Ganglion; `torch.jit.script` does not compile it.
    """

    __name__ = "ganglion_watch"

    def __init__(self, module: nn.Module, seen: Seen) -> None:
        self._module, self._seen = weakref.ref(module), seen
        self._handle = module.register_forward_hook(self, with_kwargs=True)
        _let_script_ignore_hooks()

    def __call__(self, module: nn.Module, arguments: tuple[Any, ...], named: Mapping[str, Any], output: Any) -> None:
        if module is self._module():
            self._seen(module, arguments, named, output)

    def remove(self) -> None:
        self._handle.remove()

    def __deepcopy__(self, memo: dict[Any, Any]) -> Callable[..., None]:
        module = self._module()
        if module is not None and id(module._forward_hooks) in memo:
            memo[id(self), "cleaner"] = _Cleaner(memo[id(module._forward_hooks)], self._handle.id)
        return contextlib.nullcontext().__exit__  # until the copy is finished, and `memo` with its cleaner is deleted

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (contextlib.nullcontext(), "__exit__")  # a function of any arguments that returns None


class _Cleaner:
    """Removes a hook from a copy when the copy is finished."""

    def __init__(self, hooks: dict[int, Any], key: int) -> None:
        self._hooks, self._key = hooks, key

    def __del__(self) -> None:
        self._hooks.pop(self._key, None)


def _let_script_ignore_hooks() -> None:
    """Defines `__prepare_scriptable__`, which `torch.jit.script` asks for what it is to compile instead of a module."""
    if not hasattr(nn.Module, "__prepare_scriptable__"):
        setattr(nn.Module, "__prepare_scriptable__", _without_our_hooks)  # noqa: B010 (not declared)


def _without_our_hooks(module: nn.Module) -> nn.Module:
    """The module, or a view of it with the same weights and without the hooks of this file."""
    if not any(isinstance(hook, ForwardHook) for hook in module._forward_hooks.values()):
        return module
    plain = copy.copy(module)
    plain._forward_hooks = OrderedDict(
        (key, hook) for key, hook in module._forward_hooks.items() if not isinstance(hook, ForwardHook)
    )
    return plain


class Listener(Protocol):
    """What is told of optimisers."""

    def before_step(self, optimizer: Optimizer) -> None:
        """Gradients are there, weights have not moved."""

    def after_step(self, optimizer: Optimizer) -> None:
        """Weights have moved."""


class OptimizerHooks:
    """Tells a listener of every step of every optimiser, until `remove` or until there is no listener any more."""

    def __init__(self, listener: Listener) -> None:
        OptimizerHooks.remove_those_that_wait()
        self._listener = weakref.ref(listener)
        before, after = register_optimizer_step_pre_hook(self._before), register_optimizer_step_post_hook(self._after)
        self._handles = [before, after]
        weakref.finalize(listener, WAITING.append, self)

    def remove(self) -> None:
        """Inside the step of an optimiser, where PyTorch goes through its hooks, they stay without effect until later."""
        self._listener = lambda: None  # type: ignore[assignment]
        WAITING.append(self)
        if not _inside_a_step():
            OptimizerHooks.remove_those_that_wait()

    @staticmethod
    def remove_those_that_wait() -> None:
        if _inside_a_step():
            return
        while WAITING:
            for handle in WAITING.pop()._handles:
                handle.remove()

    def _before(
        self, optimizer: Optimizer, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        listener = self._listener()
        if listener is None:
            return None
        closure = named.get("closure") or (arguments[1] if len(arguments) > 1 else None)
        if not callable(closure):
            listener.before_step(optimizer)
            return None
        called = _once_after(closure, lambda: listener.before_step(optimizer))
        if "closure" in named:
            return arguments, {**named, "closure": called}
        return (arguments[0], called, *arguments[2:]), named

    def _after(self, optimizer: Optimizer, *_: object) -> None:
        listener = self._listener()
        if listener is not None:
            listener.after_step(optimizer)


WAITING: list[OptimizerHooks] = []
"""Those that are without effect and not yet removed."""


def _inside_a_step() -> bool:
    """Whether PyTorch is inside `step` of an optimiser."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "wrapper" and frame.f_code.co_filename == STEPS:
            return True
        frame = frame.f_back
    return False


def _once_after(closure: Callable[[], Any], then: Callable[[], None]) -> Callable[[], Any]:
    """A closure after whose first call `then` is called: gradients are there, and the optimiser has not moved a weight."""
    waiting = True

    def called(*arguments: Any, **named: Any) -> Any:
        nonlocal waiting
        loss = closure(*arguments, **named)
        if waiting:
            waiting = False
            then()
        return loss

    return called


def in_ordinary_python() -> bool:
    """Whether a call is one of training: not traced, exported, captured, transformed by `torch.func`, or recomputed."""
    if bool(torch._C._get_tracing_state()) or torch.compiler.is_compiling():
        return False
    stack = getattr(getattr(torch._C, "_functorch", None), "peek_interpreter_stack", None)
    if stack is not None and stack() is not None:
        return False
    if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
        return False
    return graph_task() < 0
