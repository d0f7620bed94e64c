"""Adds up what each step yields, on the device, without making the host wait for it."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Meter"]


class Meter:
    """Means of scalar tensors since they were last read, each over the steps at which it was there."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, **values: Tensor) -> None:
        """One step's scalars, each a tensor of no axes."""
        for name, value in values.items():
            value = value.detach().float()
            self._sums[name] = self._sums[name].add_(value) if name in self._sums else value.clone()
            self._counts[name] = self._counts.get(name, 0) + 1

    def read(self) -> dict[str, float]:
        """The means, and starts anew. One transfer from the device, whatever the number of values."""
        if not self._sums:
            return {}
        sums = torch.stack(list(self._sums.values())).tolist()
        means = {name: total / self._counts[name] for name, total in zip(self._sums, sums, strict=True)}
        self._sums, self._counts = {}, {}
        return means
