"""Convolutions whose second derivatives are convolutions as well, for penalties on D's gradient on a CUDA device.

PyTorch writes the gradient of a convolution's gradient with the output's gradient as kernel, as large as an image, and group
by group; cuDNN has no fast algorithm for that. A convolution, its gradient for the input and its gradient for the weight are
one family: the gradients of each are the other two (as in Karras et al. 2020, "Analyzing and Improving the Image Quality of
StyleGAN", whose code does the same).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.overrides import TorchFunctionMode

__all__ = ["ConvolutionsTwiceDifferentiated", "gradients_for_inputs", "twice_differentiated"]

Pair = tuple[int, int]


class Geometry(NamedTuple):
    """The numbers of a convolution, in the order in which PyTorch's operators take them."""

    stride: Pair
    padding: Pair
    dilation: Pair
    transposed: bool
    output_padding: Pair
    groups: int

    def gradients(self, slope: Tensor, x: Tensor, weight: Tensor, for_input: bool) -> Tensor:
        """The gradient for `x`, or else for `weight`; of the one that is asked for, only the shape and layout count."""
        wanted = [for_input, not for_input, False]
        found = torch.ops.aten.convolution_backward(slope, x, weight, None, *self, wanted)
        gradient: Tensor = found[0 if for_input else 1]
        return gradient


_inputs_only = False


@contextmanager
def gradients_for_inputs() -> Iterator[None]:
    """Context of a call of autograd that asks for no weight's gradient: Function would compute it in vain."""
    global _inputs_only
    _inputs_only = True
    try:
        yield
    finally:
        _inputs_only = False


def _applied(operation: Any, *arguments: object) -> Tensor:
    found: Tensor = operation.apply(*arguments)
    return found


class _Convolution(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        y: Tensor = torch.ops.aten.convolution(x, weight, None, *geometry)
        return y

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        for_x, for_weight, _ = ctx.needs_input_grad
        return (
            _applied(_InputGradient, slope, weight, x.detach(), ctx.geometry) if for_x else None,
            _applied(_WeightGradient, slope, x, weight.detach(), ctx.geometry)
            if for_weight and not _inputs_only
            else None,
            None,
        )


class _InputGradient(Function):
    @staticmethod
    def forward(ctx: Any, slope: Tensor, weight: Tensor, like: Tensor, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(slope, weight)
        ctx.geometry = geometry
        return geometry.gradients(slope, like, weight, for_input=True)

    @staticmethod
    def backward(ctx: Any, change: Tensor) -> Any:
        slope, weight = ctx.saved_tensors
        for_slope, for_weight, *_ = ctx.needs_input_grad
        return (
            _applied(_Convolution, change, weight, ctx.geometry) if for_slope else None,
            _applied(_WeightGradient, slope, change, weight.detach(), ctx.geometry) if for_weight else None,
            None,
            None,
        )


class _WeightGradient(Function):
    @staticmethod
    def forward(ctx: Any, slope: Tensor, x: Tensor, like: Tensor, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(slope, x)
        ctx.geometry = geometry
        return geometry.gradients(slope, x, like, for_input=False)

    @staticmethod
    def backward(ctx: Any, change: Tensor) -> Any:
        slope, x = ctx.saved_tensors
        for_slope, for_x, *_ = ctx.needs_input_grad
        return (
            _applied(_Convolution, x, change, ctx.geometry) if for_slope else None,
            _applied(_InputGradient, slope, change, x.detach(), ctx.geometry) if for_x else None,
            None,
            None,
        )


class ConvolutionsTwiceDifferentiated(TorchFunctionMode):
    """Context in which `conv2d` and `conv_transpose2d`, of any module, are these convolutions. Autocast holds in it."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        ours: dict[Any, Callable[..., Any]] = {torch.conv2d: _conv2d, torch.conv_transpose2d: _conv_transpose2d}
        return ours.get(func, func)(*args, **(kwargs or {}))


def twice_differentiated(device: torch.device) -> AbstractContextManager[object]:
    """Context for D's forward pass where a penalty differentiates its gradient. On a CPU PyTorch's own way is as fast."""
    return ConvolutionsTwiceDifferentiated() if device.type == "cuda" else nullcontext()


def _conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,  # noqa: A002
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """As `torch.conv2d`, to which it leaves padding by name and an image without a batch."""
    if isinstance(padding, str) or input.ndim != 4:
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
    geometry = Geometry(_pair(stride), _pair(padding), _pair(dilation), False, (0, 0), groups)
    return _convolved(geometry, input, weight, bias)


def _conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,  # noqa: A002
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    if input.ndim != 4:
        return torch.conv_transpose2d(input, weight, bias, stride, padding, output_padding, groups, dilation)
    geometry = Geometry(_pair(stride), _pair(padding), _pair(dilation), True, _pair(output_padding), groups)
    return _convolved(geometry, input, weight, bias)


def _convolved(geometry: Geometry, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    kind = x.device.type
    if torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
        x, weight = x.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    y = _applied(_Convolution, x, weight, geometry)
    return y if bias is None else y + bias[:, None, None]


def _pair(value: Any) -> Pair:
    one = (value, value) if isinstance(value, int) else tuple(value)
    return (one[0], one[-1])
