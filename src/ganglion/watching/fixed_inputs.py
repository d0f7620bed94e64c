"""Inputs of G from the training, at which it is called again in each look, and its output there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ganglion.watching.calls import Arguments, GCall, Path
from ganglion.watching.forward import float_outputs

__all__ = ["FEWEST", "FixedInputs", "length"]

FEWEST = 8
"""Samples, below which nothing is said of them."""


class FixedInputs:
    """The first rows of G's calls whose images D was shown; other arguments are those of the newest such call."""

    def __init__(self) -> None:
        self.output = 0
        """Which of G's float outputs D is shown."""
        self.latent: Path | None = None
        """Which argument of G is the latent, if the user told."""
        self._call: tuple[Arguments, int] | None = None
        self._inputs: list[dict[Path, Tensor]] = []
        self._samples: Tensor | None = None

    @property
    def count(self) -> int:
        return sum(map(length, self._inputs))

    def keep(self, call: GCall, images: int) -> None:
        """A call of G whose images D was shown, until there are so many."""
        n = len(call.outputs[min(self.output, len(call.outputs) - 1)])
        self._call = call.arguments.stripped(n), n
        rows = {at: tensor.clone() for at, tensor in call.arguments.rows(n).items()}
        if self._inputs and _form(self._inputs[0]) != _form(rows):
            self._inputs = []
        if self.count < images:
            self._inputs.append(rows)

    def rows(self, images: int) -> dict[Path, Tensor]:
        """Rows of G's inputs; empty while there are too few."""
        if self.count < FEWEST:
            return {}
        return {at: torch.cat([rows[at] for rows in self._inputs])[:images] for at in self._inputs[0]}

    def forget_samples(self) -> None:
        """A new look begins."""
        self._samples = None

    def generated(self, generator: nn.Module, images: int, shifted: bool) -> Tensor | None:
        """G's output at the fixed inputs; `shifted`: each with the latent of its neighbour and its own other inputs."""
        rows = self.rows(images)
        if self._call is None or not rows:
            return None
        if shifted and len(rows) == 1 and self._samples is not None:
            return self._samples.roll(1, 0)
        if shifted:
            floats = [at for at, tensor in rows.items() if tensor.is_floating_point()]
            latent = self.latent if self.latent in rows else next(iter(floats), None)
            rows = rows | ({latent: rows[latent].roll(1, 0)} if latent is not None else {})
        arguments, n = self._call
        parts = []
        for first in range(0, length(rows), n):
            chunk = {at: tensor[first : first + n] for at, tensor in rows.items()}
            positional, named = arguments.with_rows(chunk)
            found = self.of_call(generator, Arguments((positional, named), arguments.module))
            if found is None:
                return None
            parts.append(found.float())
        self._samples = torch.cat(parts)
        return self._samples

    def of_call(self, generator: nn.Module, arguments: Arguments) -> Tensor | None:
        """The images of one call of G."""
        positional, named = arguments.tree
        output: Any = generator.get_submodule(arguments.module)(*positional, **named)
        tensors = [tensor for tensor in float_outputs(output) if tensor.ndim]
        return tensors[self.output] if self.output < len(tensors) else None


def length(rows: dict[Path, Tensor]) -> int:
    """The number of rows."""
    return len(next(iter(rows.values()))) if rows else 0


def _form(rows: dict[Path, Tensor]) -> dict[Path, Any]:
    return {at: (tuple(tensor.shape[1:]), tensor.dtype) for at, tensor in rows.items()}
