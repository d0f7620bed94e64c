"""Asks networks of a training that is not ours, and leaves everything as it was."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from ganglion.vitals.rest import at_rest

__all__ = ["untouched"]


@contextmanager
def untouched(*networks: nn.Module) -> Iterator[None]:
    """While it lasts, the networks are in eval mode and no gradient is recorded; random states, modes, buffers and other
    people's forward hooks are then as they were.
    """
    devices = sorted({p.device.index for n in networks for p in n.parameters() if p.device.type == "cuda"})
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 (the global state is what is kept)
    buffers = [(buffer, buffer.detach().clone()) for network in networks for buffer in network.buffers()]
    modules = [module for network in networks for module in network.modules()]
    hooks = [(module, module._forward_hooks, module._compiled_call_impl) for module in modules]
    for module in modules:
        module._forward_hooks, module._compiled_call_impl = OrderedDict(), None
    try:
        with torch.random.fork_rng(devices), torch.no_grad(), at_rest_all(networks):
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
def at_rest_all(networks: tuple[nn.Module, ...]) -> Iterator[None]:
    with at_rest(nn.ModuleList(networks)):
        yield
