"""Which number was the first to stop being finite, and at which step; found without waiting for the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["FirstBad", "earliest"]

NEVER = -1


class FirstBad:
    """For each of several named scalars, the first step at which it was not finite."""

    def __init__(self) -> None:
        self._steps: dict[str, Tensor] = {}
        self._names: dict[str, Sequence[str]] = {}

    def look(self, group: str, names: Sequence[str], values: Tensor, step: int) -> None:
        """`values` (K,) of one step, in the order of `names`; a group keeps its names."""
        if group not in self._steps:
            self._names[group] = list(names)
            self._steps[group] = torch.full((len(values),), NEVER, device=values.device)
        first = self._steps[group]
        first.masked_fill_(~values.detach().isfinite() & (first == NEVER), step)

    def read(self) -> list[tuple[int, str]]:
        """(step, name) of all that was ever not finite, in the order in which it happened; one group after another."""
        found = []
        for group, steps in self._steps.items():
            found += [(step, name) for step, name in zip(steps.tolist(), self._names[group], strict=True) if step >= 0]
        return sorted(found, key=lambda one: one[0])  # stable: within a step, in the order of the groups


def earliest(found: list[tuple[int, str]]) -> dict[str, object] | None:
    """The first of `read` as a record has it: {step, tensor}."""
    return {"step": found[0][0], "tensor": found[0][1]} if found else None
