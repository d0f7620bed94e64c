"""Running a loop of the collection from fixed seeds, and what it leaves."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from watch_loops import Truth

__all__ = ["equal", "run"]


def run(loop: Callable[..., Truth], attach: Callable[..., None], steps: int) -> tuple[Truth, list[Any]]:
    """The loop from the same seeds, and what it leaves: weights, buffers, attributes, modes, random states, gradients."""
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002 (foreign loops use it)
    truth = loop(steps, attach)
    left: list[Any] = [torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()]  # noqa: NPY002
    for network in truth.networks:
        left += [tensor.clone() for tensor in network.state_dict().values()]
        left += [None if weight.grad is None else weight.grad.clone() for weight in network.parameters()]
        left += [_attributes_of(module) for module in network.modules()]
    return truth, left


def equal(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(
        torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in zip(a, b, strict=True)
    )


def _attributes_of(module: nn.Module) -> str:
    plain = {name: value for name, value in vars(module).items() if isinstance(value, int | float | str | list)}
    return repr({name: value for name, value in plain.items() if "dynamo" not in name and "refs" not in name})
