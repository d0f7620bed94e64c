"""Forward passes of G and D as hooks see them. In most steps a call costs a few comparisons; in the steps that are measured it
is kept until the step of G: fingerprints, D's outputs, and later the gradients at these. N images."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from ganglion.watching.calls import Arguments, DCall, GCall, Output, Path, Pull, View, graph_task, leaves
from ganglion.watching.fingerprints import marks_of
from ganglion.watching.graphs import ends_in, is_inside, leads_to
from ganglion.watching.roles import Roles

__all__ = ["ForwardPasses", "Glance", "called_through", "float_outputs", "kept_output"]

MOST_CALLS = 64
"""Calls of D kept in a step; more occur only in a loop that seldom steps G."""
MOST_OUTPUTS, MOST_VIEWS, FEW_OUTPUTS = 32, 6, 4
FEW_VALUES = 4096
"""Values of a row of D's output that are kept one by one."""


class Glance(NamedTuple):
    """What is noted of a call of D at every step."""

    n: int
    attached: bool


class ForwardPasses:
    """Calls since the last step of G."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, roles: Roles) -> None:
        self._generator, self._discriminator, self._roles = generator, discriminator, roles
        self.of_g: list[GCall] = []
        self.of_d: list[DCall] = []
        self.glances: list[Glance] = []
        self.measuring = True
        self.number = 0
        self.end_of_g: str | None = None
        """The function by which G's output ends."""
        self.first: GCall | None = None
        """G's first call, of the initial weights, until it is forgotten."""
        self._weights: set[int] = set()

    def forget(self) -> None:
        """The step of G is over."""
        self.of_g, self.of_d, self.glances, self._weights = [], [], [], set()

    # G

    def seen_g(
        self, arguments: tuple[Any, ...], named: Mapping[str, Any], output: Any, remember: bool, name: str = ""
    ) -> None:
        """A forward pass of G, or of a part of it. `remember`: whether its images are to be recognised later."""
        self.number += 1
        if not (remember or self.measuring):
            return
        images = [
            tensor for _, tensor in leaves(output) if tensor.is_floating_point() and tensor.ndim and tensor.numel()
        ]
        for index, tensor in enumerate(images[:MOST_OUTPUTS]):
            self._roles.drawn.add(self.number, index, marks_of(tensor))
        if not self.measuring or not images:
            return
        kept = [tensor.detach().as_subclass(Tensor) for tensor in images]
        with_gradients, training = torch.is_grad_enabled(), self._generator.training
        call = GCall(
            self.number, Arguments((arguments, dict(named)), name), kept, training=training and with_gradients,
            evaluating=with_gradients and not training,
        )  # fmt: skip
        self.of_g = [*self.of_g[-7:], call]
        largest = max(images, key=Tensor.numel)
        if largest.grad_fn is not None:
            self.end_of_g = ends_in(largest, self._generator)
        if self.number == 1:
            self.first = call

    # D

    def seen_d(
        self, arguments: tuple[Any, ...], named: Mapping[str, Any], output: Any, part: bool = False, name: str = ""
    ) -> None:
        """A forward pass of D, or of a part of it."""
        inputs = [
            (at, t) for at, t in leaves((arguments, dict(named))) if t.is_floating_point() and t.ndim and t.numel()
        ]
        outputs = float_outputs(output)
        if not inputs or not any(tensor.requires_grad for tensor in outputs):
            return
        if part and self.of_d and self._continues(inputs):
            self._add_outputs(self.of_d[-1], outputs)
            return
        n = len(next((tensor for _, tensor in inputs if tensor.ndim > 1), inputs[0][1]))
        attached = any(tensor.grad_fn is not None for _, tensor in inputs)
        self.glances.append(Glance(n, attached))
        if not self.measuring or len(self.of_d) >= MOST_CALLS:
            return
        call = DCall(
            self.number, n, Arguments((arguments, dict(named)), name), self._views(inputs, n),
            from_g=attached and any(leads_to(tensor, self._weights_of_g()) for _, tensor in inputs),
            attached=attached,
            wants_slope=any(tensor.requires_grad and tensor.grad_fn is None for _, tensor in inputs),
            outputs=[],
            evaluating=not self._discriminator.training,
        )  # fmt: skip
        self.of_d.append(call)
        self._add_outputs(call, outputs)
        if not part:
            self.release()

    def _continues(self, inputs: list[tuple[Path, Tensor]]) -> bool:
        """Whether a part of D works on what another part of the same forward pass returned."""
        before = self._last_outputs
        return any(tensor is other or is_inside(other, tensor) for _, tensor in inputs for other in before)

    _last_outputs: tuple[Tensor, ...] = ()

    def _weights_of_g(self) -> set[int]:
        self._weights = self._weights or {id(weight) for weight in self._generator.parameters()}
        return self._weights

    def _views(self, inputs: list[tuple[Path, Tensor]], n: int) -> list[View]:
        """Whole arguments, and parts of them that have the shape of G's images."""
        found = []
        for at, tensor in inputs:
            if len(tensor) != n:
                continue
            plain = tensor.detach().as_subclass(Tensor)
            parts = [("whole", plain), *_parts(plain, self._roles.drawn.shapes())]
            settled = [(part, images) for part, images in parts if (at, part) == self._roles.key]
            for part, images in settled or parts:
                found.append(View(at, part, images, marks_of(images)))
        return found[:MOST_VIEWS]

    def _add_outputs(self, call: DCall, outputs: list[Tensor]) -> None:
        tensors = list(self._last_outputs) if call.outputs else []
        first = call.outputs[-1].index + 1 if call.outputs else 0
        for index, tensor in enumerate(outputs[:MOST_OUTPUTS], start=first):
            made = (
                kept_output(index, tensor, call, ends_in(tensor, self._discriminator)) if tensor.requires_grad else None
            )
            if made is not None:
                call.outputs.append(made)
                tensors.append(tensor)
                cast(Any, tensor.register_hook)(_keeping_pull(call, made))
        for output, tensor in zip(call.outputs, tensors, strict=True):
            later = list(zip(call.outputs, tensors, strict=True))[-FEW_OUTPUTS:]
            output.inside_of |= {other.index for other, its in later if other is not output and is_inside(tensor, its)}
        self._last_outputs = tuple(tensors)

    def release(self) -> None:
        """Forgets tensors with graphs: at each step of an optimiser."""
        self._last_outputs = ()


def _parts(tensor: Tensor, shapes: set[tuple[int, ...]]) -> Iterable[tuple[str, Tensor]]:
    """Channels or columns of an argument that may be G's images, beside a condition."""
    whole = tuple(tensor.shape[1:])
    if whole in shapes or not whole:
        return
    for shape in shapes:
        if not shape or len(shape) != len(whole) or shape[1:] != whole[1:] or shape[0] >= whole[0]:
            continue
        yield "last", tensor[:, -shape[0] :]
        yield "first", tensor[:, : shape[0]]
        if whole[0] % shape[0] == 0:
            yield "packed", tensor.reshape(-1, *shape)


def float_outputs(output: Any) -> list[Tensor]:
    """Float tensors among all that a network returns, in order."""
    return [tensor for _, tensor in leaves(output) if tensor.is_floating_point() and tensor.numel()]


def kept_output(index: int, tensor: Tensor, call: DCall, end: str | None) -> Output | None:
    """One of D's outputs as kept; None where it has no row per image, per pack of images or per batch."""
    n = call.n
    values = tensor.detach().as_subclass(Tensor).float()
    values = _by_image(values, n)
    if n % len(values):
        return None
    size = values.numel() // len(values)
    rows = values.reshape(len(values), size)
    kept = rows.clone() if values.ndim <= 2 and size <= FEW_VALUES else rows.mean(1, keepdim=True)
    channels = 1 if values.ndim == 1 else int(values.shape[1])
    same = next(
        (view.images for view in call.views if view.part == "whole" and view.images.shape == values.shape), None
    )
    error = values - same.float() if same is not None and values.ndim > 1 and size > 1 else None
    return Output(index, kept, channels, size, None if end is None else end == "Sigmoid", error)


def _by_image(values: Tensor, n: int) -> Tensor:
    """An output with its n images along the first axis, where it has one for them."""
    if not values.ndim:
        return values.reshape(1)
    if len(values) != n and n > 1 and n in values.shape[1:]:
        return values.movedim(values.shape.index(n), 0)  # several discriminators, stacked
    if len(values) % n == 0 and len(values) > n:
        return values.reshape(n, -1)  # scores of patches one after the other
    return values


def _keeping_pull(call: DCall, output: Output) -> Callable[[Tensor], None]:
    """A hook that keeps the gradient of a loss at D's output; gradients with a graph of their own are a penalty's."""
    rows = len(output.rows)

    def keep(gradient: Tensor) -> None:
        try:
            if torch.is_grad_enabled():
                call.differentiated = True
                return
            values = _by_image(gradient.detach().as_subclass(Tensor).float(), call.n).reshape(rows, -1)
            along = None
            if output.error is not None:
                product = values * output.error.reshape(rows, -1)
                along = product.sum(1), product.abs().sum(1)
            few = values.clone() if values.shape[1] == output.rows.shape[1] and values.shape[1] > 1 else None
            pull = Pull(output.index, graph_task(), None, values.sum(1), values.abs().sum(1), few, along)
            call.pulls.append(pull)
        except Exception:  # the training's backward pass goes on; the call counts as one without a gradient
            call.failed = True

    return keep


def called_through(outer: nn.Module) -> bool:
    """Whether a forward pass of `outer` is running."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is CALL and frame.f_locals.get("self") is outer:
            return True
        frame = frame.f_back
    return False


CALL = nn.Module._call_impl.__code__
