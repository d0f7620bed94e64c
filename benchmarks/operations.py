"""Counts the floating-point operations of matrix products and convolutions, forward, backward and backward again.

With PyTorch's own formulas, but for the gradient of a grouped convolution's weight, which those count as if it had no groups.
PyTorch's FlopCounterMode follows modules too, which gradient penalties do not allow.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

__all__ = ["Operations", "operations_of"]


class Operations(TorchDispatchMode):
    """While entered, adds up FLOP in `total`; a multiplication with its addition counts two."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        self.total += operations_of(func, args, kwargs or {}, found)
        return found


def operations_of(func: Any, args: Any, kwargs: Any, found: Any) -> int:
    """FLOP of one call of PyTorch's, which returned `found`; 0 for what is neither a product nor a convolution."""
    if func.overloadpacket is torch.ops.aten.convolution_backward:
        *numbers, groups, (for_input, for_weight, for_bias) = args
        of_input = _counted(func, [*numbers, groups, (for_input, False, for_bias)], found)
        return of_input + _counted(func, [*numbers, groups, (False, for_weight, False)], found) // groups
    return _counted(func, args, found, **kwargs) if func.overloadpacket in flop_registry else 0


def _counted(func: Any, args: Any, found: Any, **kwargs: Any) -> int:
    return int(flop_registry[func.overloadpacket](*args, **kwargs, out_val=found))
