"""State that a forward pass may change, and putting it back: parameters, buffers, attributes, caches, random numbers.

`unchanged` is the context in which a look runs. What cannot be put back, such as an iterator, is named by `Kept`."""

from __future__ import annotations

import copy
import itertools
import random
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["CannotLook", "Kept", "copies", "unchanged"]


FIXED_SEED = 0
"""Of the noise that G draws itself in a look, so that records are comparable."""
HOOKS = tuple(name for name in vars(nn.Module()) if "hooks" in name)
MADE_BY_OTHERS = frozenset({*sys.stdlib_module_names, "torch", "numpy", "functorch", "torchvision"})
"""Packages whose objects hold no state of the network, apart from the kinds that `Kept` knows."""
LONGEST_GLOBAL = 1000
SIMPLE = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
CONTAINERS = (list, dict, set, deque, bytearray)


class Kept:
    """State of networks and of everything that they refer to. `lost` names what cannot be put back."""

    def __init__(self, *networks: nn.Module) -> None:
        self.modules: list[nn.Module] = []
        self.lost: list[str] = []
        self._undo: list[Callable[[], None]] = []
        self._seen: dict[Any, Any] = {}  # by id, with the object itself, so that no id is used again
        self._ways: tuple[tuple[Any, Callable[[Any, str], None]], ...] = (
            (nn.Module, self._keep_module),
            (Tensor, self._keep_tensor),
            (np.ndarray, self._keep_array),
            (GENERATORS, lambda value, _: self._undo.append(_generator_state(value))),
            (CONTAINERS, self._keep_container),
            ((tuple, frozenset), self._keep_members),
            ((FunctionType, MethodType), self._keep_function),
            (Iterator, lambda value, name: self.lost.append(f"{name} ({type(value).__name__})")),
        )
        for network in networks:
            self._keep(network, type(network).__name__)

    @torch.no_grad()
    def put_back(self) -> None:
        """Makes everything what it was."""
        for undo in reversed(self._undo):
            undo()

    def _keep(self, value: Any, name: str) -> None:
        if isinstance(value, SIMPLE):
            return
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value
        for kinds, keep in self._ways:
            if isinstance(value, kinds):
                keep(value, name)
                return
        if not _is_made_by_others(type(value)):
            self._keep_object(value, name)

    def _keep_module(self, module: nn.Module, name: str) -> None:
        self.modules.append(module)
        for key, value in list(vars(module).items()):
            if key not in HOOKS:
                self._keep(value, f"{name}.{key}")
        for hook in module._forward_pre_hooks.values():
            self._keep(hook, f"a hook of {name}")
        self._keep_attributes(module)
        self._keep_class(type(module))

    def _keep_object(self, value: Any, name: str) -> None:
        for key, inner in list(getattr(value, "__dict__", {}).items()):
            self._keep(inner, f"{name}.{key}")
        self._keep_attributes(value)
        self._keep_class(type(value))

    def _keep_attributes(self, value: Any) -> None:
        """Which object each attribute is."""
        attributes = getattr(value, "__dict__", None)
        if attributes is not None:
            before = dict(attributes)
            self._undo.append(lambda: _restore_mapping(attributes, before))

    def _keep_members(self, value: Any, name: str) -> None:
        for inner in value:
            self._keep(inner, name)

    def _keep_array(self, array: Any, _name: str) -> None:
        copied = array.copy()
        self._undo.append(lambda: np.copyto(array, copied) if array.flags.writeable else None)

    def _keep_tensor(self, tensor: Tensor, _name: str) -> None:
        if tensor.layout != torch.strided or tensor.is_meta:
            return
        storage = tensor.data  # the same memory: a forward pass may give the tensor another one
        copied = storage.clone(memory_format=torch.preserve_format)

        def undo() -> None:
            if tensor.data_ptr() != storage.data_ptr() or tensor.shape != storage.shape:
                tensor.data = storage
            storage.copy_(copied)  # through .data, which leaves the version that autograd compares as it was

        self._undo.append(undo)

    def _keep_container(self, value: Any, name: str) -> None:
        for inner in list(value.values() if isinstance(value, dict) else value):
            self._keep(inner, name)
        if isinstance(value, dict):
            before = dict(value)
            self._undo.append(lambda: _restore_mapping(value, before))
        elif isinstance(value, set):
            members = set(value)
            self._undo.append(lambda: _restore_set(value, members))
        else:
            items = list(value)
            self._undo.append(lambda: _restore_sequence(value, items))

    def _keep_function(self, function: FunctionType | MethodType, name: str) -> None:
        """What a function refers to: its closure, and for a method its object."""
        if isinstance(function, MethodType):
            self._keep(function.__self__, name)
            function = function.__func__  # type: ignore[assignment]
        if not isinstance(function, FunctionType) or _is_made_by_others(function):
            return
        for cell in function.__closure__ or ():
            self._keep_cell(cell, name)
        self._keep_globals(function)

    def _keep_cell(self, cell: CellType, name: str) -> None:
        if id(cell) in self._seen:
            return
        self._seen[id(cell)] = cell
        try:
            content = cell.cell_contents
        except ValueError:  # empty
            return
        if isinstance(content, nn.Module) or not _is_too_large(content):
            self._keep(content, name)
        self._undo.append(lambda: setattr(cell, "cell_contents", content))

    def _keep_class(self, kind: type) -> None:
        """Attributes of a class, and global variables that its methods name."""
        if id(kind) in self._seen or _is_made_by_others(kind):
            return
        self._seen[id(kind)] = kind
        for key, value in list(vars(kind).items()):
            if isinstance(value, FunctionType):
                self._keep_function(value, f"{kind.__name__}.{key}")
            elif not key.startswith("__") and _is_plain(value):
                self._keep(value, f"{kind.__name__}.{key}")
                self._undo.append(lambda key=key, value=value: _set_if_other(kind, key, value))  # type: ignore[misc]
        for base in kind.__bases__:
            self._keep_class(base)

    def _keep_globals(self, function: FunctionType) -> None:
        place = function.__globals__
        for name in _names_in(function.__code__):
            value = place.get(name)
            key = id(place), name
            if name in place and key not in self._seen and _is_plain(value):
                self._seen[key] = place
                self._keep(value, name)
                self._undo.append(lambda name=name, value=value: place.__setitem__(name, value))  # type: ignore[misc]


@contextmanager
def unchanged(*networks: nn.Module) -> Iterator[Kept]:
    """Context with the networks in eval mode, without gradients and without forward hooks, and with fixed random numbers;
    afterwards everything is as it was.
    """
    kept = Kept(*networks)
    devices = sorted({p.device.index for m in networks for p in m.parameters() if p.device.type == "cuda"})
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 (the global state is to be restored)
    try:
        with torch.random.fork_rng(devices), torch.inference_mode(False), torch.no_grad():
            for module in kept.modules:
                vars(module).update(_forward_hooks=OrderedDict(), _compiled_call_impl=None)
                vars(module)["training"] = False  # without `eval`, which a network may have overridden
            torch.default_generator.manual_seed(FIXED_SEED)
            for device in devices:
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(FIXED_SEED)
            random.seed(FIXED_SEED)
            np.random.seed(FIXED_SEED)  # noqa: NPY002
            yield kept
    finally:
        kept.put_back()  # modes and hooks too
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


class CannotLook(Exception):  # noqa: N818 (a reason, not a fault)
    """The networks cannot be called again without a side effect."""


def copies(networks: tuple[nn.Module, nn.Module], lost: list[str]) -> tuple[nn.Module, nn.Module]:
    """Raises CannotLook where a network cannot be copied."""
    try:
        with torch.random.fork_rng(devices=[]):
            return copy.deepcopy(networks)
    except Exception as error:
        reason = (
            f"a forward pass may change {', '.join(lost[:3])}, which cannot be put back, nor the networks be copied"
        )
        raise CannotLook(reason) from error


def _generator_state(generator: Any) -> Callable[[], None]:
    if isinstance(generator, torch.Generator):
        state = generator.get_state()
        return lambda: _set_state(generator, state)
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        before = bits.state
        return lambda: setattr(bits, "state", before)
    if isinstance(generator, np.random.RandomState):
        legacy = generator.get_state()
        return lambda: generator.set_state(legacy)
    plain = generator.getstate()
    return lambda: generator.setstate(plain)


def _set_state(generator: torch.Generator, state: Tensor) -> None:
    generator.set_state(state)


def _restore_mapping(value: Any, before: dict[Any, Any]) -> None:
    if list(value) != list(before):  # a key was added or removed
        value.clear()
        value.update(before)
        return
    for key, inner in before.items():
        if value[key] is not inner:
            value[key] = inner


def _restore_set(value: set[Any], members: set[Any]) -> None:
    if value != members:
        value.clear()
        value.update(members)


def _restore_sequence(value: Any, items: list[Any]) -> None:
    if len(value) != len(items) or any(a is not b for a, b in zip(value, items, strict=True)):
        value.clear()
        value.extend(items)


def _set_if_other(kind: type, key: str, value: Any) -> None:
    if vars(kind).get(key) is not value:
        setattr(kind, key, value)


def _is_made_by_others(kind: Any) -> bool:
    return str(getattr(kind, "__module__", None) or "builtins").partition(".")[0] in MADE_BY_OTHERS - {"__main__"}


def _is_plain(value: Any) -> bool:
    """Numbers, texts, containers, tensors and random generators; not modules, functions and objects."""
    if isinstance(value, (*SIMPLE, *GENERATORS)):
        return True
    return isinstance(value, (*CONTAINERS, tuple, np.ndarray, Tensor)) and not _is_too_large(value)


def _is_too_large(value: Any) -> bool:
    """Whether it is rather data of the program than state of a network."""
    if isinstance(value, Tensor):
        return value.numel() > LONGEST_GLOBAL**2
    if isinstance(value, np.ndarray):
        return bool(value.size > LONGEST_GLOBAL**2)
    if isinstance(value, (*CONTAINERS, tuple)):
        return len(value) > LONGEST_GLOBAL or any(isinstance(one, nn.Module) for one in itertools.islice(value, 3))
    return not isinstance(value, (*SIMPLE, *GENERATORS))


def _names_in(code: CodeType) -> set[str]:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*map(_names_in, inner))
