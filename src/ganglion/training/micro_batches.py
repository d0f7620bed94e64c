"""A network on a batch in micro-batches: the values and gradients of the whole batch, and the memory of a part of it.

A forward pass is made part by part without a graph; the backward pass makes each part again, with one, and adds up the
gradients. So the loss is computed of all outputs at once, whatever it compares them with (Gao et al. 2021, arXiv 2101.06983;
making activations again is the checkpointing of Chen et al. 2016, arXiv 1604.06174).
Layers that compare the images of a batch see those of a part. N images in a batch, K parts of at most M images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ganglion.networks.base import Discriminator, Generator, changing_buffers

__all__ = ["Parts", "in_parts", "mean_in_parts"]

Outputs = tuple[Tensor, ...]
Call = Callable[..., Outputs]


class Parts:
    """How a batch is divided: K = ceil(N / M) parts, whose sizes differ by one at most.

    A part is every K-th image, so that the groups of MinibatchStddev, which lie N/4 apart, are the same in a part of a
    multiple of 4 images.
    """

    def __init__(self, images: int, most: int | None) -> None:
        count = 1 if most is None else -(-images // most)
        self.images = images
        self.slices = [slice(first, None, count) for first in range(count)]
        self.sizes = [len(range(images)[part]) for part in self.slices]


def in_parts(network: nn.Module, call: Call, most: int | None, *inputs: Tensor | None) -> Outputs:
    """`call(*inputs)`, a forward pass of `network`, on at most `most` images at once; None: on all.

    Each input is None or has N rows, and so has each output. Gradients reach the inputs and the network's weights, which must
    not change between the passes. Statistics that layers remember are the same at the start of each part, and the mean over
    the parts in the end.
    """
    parts = Parts(next(len(rows) for rows in inputs if rows is not None), most)
    if len(parts.slices) == 1:
        return call(*inputs)
    forward = _ForwardPass(network, call, parts, len(inputs))
    outputs: Outputs = _InParts.apply(forward, *inputs, *network.parameters())  # type: ignore[no-untyped-call]
    return outputs


def mean_in_parts(
    network: nn.Module, call: Callable[..., Tensor], most: int, images: Tensor, labels: Tensor | None
) -> Tensor:
    """Mean of `call(images, labels)` (N,), which may contain a gradient of `network`. It has no gradient at the images.

    Its gradient at the weights is computed together with the value: that of a mean needs no other part.
    """
    parts = Parts(len(images), most)
    mean: Tensor = _MeanInParts.apply(network, call, parts, images, labels, *network.parameters())  # type: ignore[no-untyped-call]
    return mean


class _ForwardPass:
    """One forward pass in parts, and what it takes to make any part again as it was."""

    def __init__(self, network: nn.Module, call: Call, parts: Parts, inputs: int) -> None:
        self.network, self.call, self.parts, self.inputs = network, call, parts, inputs
        self.device = next(network.parameters()).device
        self.autocast = _autocast_of(self.device.type)
        self.start = _buffers(network)
        draws = not isinstance(network, Generator | Discriminator)  # our families draw nothing at random
        self.random: list[Any] | None = [] if draws else None

    def first_time(self, inputs: Sequence[Tensor | None]) -> Outputs:
        found: list[Outputs] = []
        for part in _from_the_same_start(self.network, self.start, self.parts):
            if self.random is not None:
                self.random.append(_random_state(self.device))
            with self.autocast():
                found.append(self.call(*_rows(inputs, part)))
        return tuple(_joined(outputs, self.parts) for outputs in zip(*found, strict=True))

    def again(self, number: int, inputs: Sequence[Tensor | None]) -> Outputs:
        """Part `number`, with its graph."""
        _set_buffers(self.network, self.start)
        state = None if self.random is None else self.random[number]
        with torch.enable_grad(), _random_again(self.device, state), self.autocast():
            return self.call(*inputs)


class _InParts(torch.autograd.Function):
    """(forward pass, inputs..., weights...) to outputs."""

    @staticmethod
    def forward(ctx: Any, forward: _ForwardPass, *tensors: Any) -> Outputs:
        ctx.forward = forward
        ctx.save_for_backward(*tensors)  # autograd refuses the backward pass where one was changed since
        return forward.first_time(tensors[: forward.inputs])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        forward, tensors, needed = ctx.forward, ctx.saved_tensors, ctx.needs_input_grad[1:]
        count = forward.inputs
        inputs = tensors[:count]
        of_inputs = [torch.zeros_like(x) if need else None for x, need in zip(inputs, needed, strict=False)]
        weights = [weight for weight, need in zip(tensors[count:], needed[count:], strict=True) if need]
        of_weights = [torch.zeros_like(weight) for weight in weights]
        now = _buffers(forward.network)
        for number, part in enumerate(forward.parts.slices):
            rows = _rows(inputs, part)
            wanted = [x.requires_grad_() for x, need in zip(rows, needed, strict=False) if x is not None and need]
            outputs = forward.again(number, rows)
            found = _gradients(outputs, [*wanted, *weights], [gradient[part] for gradient in gradients])
            for total, gradient in zip([g for g in of_inputs if g is not None], found, strict=False):
                if gradient is not None:
                    total[part] = gradient
            _add(of_weights, found[len(wanted) :])
            del outputs  # its graph, before the next one is made
        _set_buffers(forward.network, now)
        rest = iter(of_weights)
        return (None, *of_inputs, *(next(rest) if need else None for need in needed[count:]))


class _MeanInParts(torch.autograd.Function):
    """(network, function, parts, images, labels, weights...) to a mean."""

    @staticmethod
    def forward(
        ctx: Any, network: nn.Module, call: Callable[..., Tensor], parts: Parts, images: Tensor, labels: Tensor | None,
        *weights: Tensor,
    ) -> Tensor:  # fmt: skip
        ctx.trained = [weight.requires_grad for weight in weights]
        chosen = [weight for weight in weights if weight.requires_grad]
        ctx.gradients, value = [torch.zeros_like(weight) for weight in chosen], images.new_zeros(())
        for part in _from_the_same_start(network, _buffers(network), parts):
            with torch.enable_grad():
                share = call(*_rows([images, labels], part)).sum() / parts.images
            if chosen:
                _add(ctx.gradients, torch.autograd.grad(share, chosen, allow_unused=True))
            value += share.detach()
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rest = iter(ctx.gradients)
        return (*[None] * 5, *(next(rest) * gradients[0] if trained else None for trained in ctx.trained))


def _gradients(outputs: Outputs, wanted: list[Tensor], upstream: list[Tensor]) -> Sequence[Tensor | None]:
    pairs = [(out, gradient) for out, gradient in zip(outputs, upstream, strict=True) if out.requires_grad]
    return torch.autograd.grad([out for out, _ in pairs], wanted, [of for _, of in pairs], allow_unused=True)


def _add(sums: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> None:
    for total, gradient in zip(sums, gradients, strict=True):
        if gradient is not None:
            total += gradient


def _rows(tensors: Sequence[Tensor | None], part: slice) -> list[Tensor | None]:
    """The rows of a part, copied: kernels want them dense."""
    return [None if tensor is None else tensor.detach()[part].clone() for tensor in tensors]


def _joined(found: Sequence[Tensor], parts: Parts) -> Tensor:
    """All rows in their order, laid out as those of the parts are."""
    first, shape = found[0], (parts.images, *found[0].shape[1:])
    last = first.ndim == 4 and first.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    whole = torch.empty(shape, dtype=first.dtype, device=first.device, memory_format=layout)
    for part, rows in zip(parts.slices, found, strict=True):
        whole[part] = rows
    return whole


# What layers remember in train mode: running statistics, the vectors of spectral norm


def _holders(network: nn.Module) -> list[tuple[dict[str, Tensor | None], str]]:
    """Where the buffers are that a forward pass may change; the reference batch of our families is not among
    them."""
    modules = [m for m in network.modules() if network.training and not isinstance(m, (Generator, Discriminator))]
    return [(m._buffers, name) for m in modules for name in changing_buffers(m)]


def _buffers(network: nn.Module) -> list[Tensor]:
    """Copies."""
    return [holder[name].detach().clone() for holder, name in _holders(network)]  # type: ignore[union-attr]


@torch.no_grad()
def _set_buffers(network: nn.Module, values: Sequence[Tensor]) -> None:
    for (holder, name), value in zip(_holders(network), values, strict=True):
        holder[name].copy_(value)  # type: ignore[union-attr]


def _from_the_same_start(network: nn.Module, start: list[Tensor], parts: Parts) -> Iterator[slice]:
    """Each part begins with the buffers `start`; in the end they are the mean over the parts, and counters count one pass."""
    first: list[Tensor] = []
    means: list[Tensor] = []
    for part, size in zip(parts.slices, parts.sizes, strict=True):
        _set_buffers(network, start)
        yield part
        now = _buffers(network)
        first, means = first or now, means or [buffer.clone() for buffer in now]
        for mean, one, other in zip(means, first, now, strict=True):
            if mean.is_floating_point():  # differences: what is equal in all parts stays as it is, to the last bit
                mean += (other - one) * (size / parts.images)
    _set_buffers(network, means)


# What else a pass depends on


def _autocast_of(device: str) -> Callable[[], AbstractContextManager[Any]]:
    """The autocast in force now, but without its cache: weights that were cast without a graph would lose their gradient."""
    enabled, kind = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    return lambda: torch.autocast(device, kind, enabled, cache_enabled=False)


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


@contextmanager
def _random_again(device: torch.device, state: tuple[Tensor, Tensor | None] | None) -> Iterator[None]:
    """What was drawn from PyTorch's own generators in `state` (dropout) is drawn again; afterwards they are as they are now."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else [], enabled=state is not None):
        if state is not None:
            torch.set_rng_state(state[0])
            if state[1] is not None:
                torch.cuda.set_rng_state(state[1], device)
        yield
