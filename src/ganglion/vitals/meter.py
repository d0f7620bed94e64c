"""Adds up what each step yields, on the device, without making the host wait for it."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Meter"]


class Meter:
    """Means of scalar tensors since they were last read."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, **values: Tensor) -> None:
        """One step's scalars, each a tensor of no axes; the same names at every step."""
        for name, value in values.items():
            value = value.detach().float()
            self._sums[name] = self._sums[name].add_(value) if name in self._sums else value.clone()
        self._count += 1

    def read(self) -> dict[str, float]:
        """The means, and starts anew. One transfer from the device, whatever the number of values."""
        if not self._count:
            return {}
        names, means = list(self._sums), (torch.stack(list(self._sums.values())) / self._count).tolist()
        self._sums, self._count = {}, 0
        return dict(zip(names, means, strict=True))
