"""What D said of real and of fake images since the last record: kept on the device, read in one transfer. N logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Logits", "describe_logits"]

BINS = 32


class Logits:
    """D's logits on reals and on fakes, step by step, until they are read."""

    def __init__(self) -> None:
        self._real: list[Tensor] = []
        self._fake: list[Tensor] = []

    def add(self, real: Tensor, fake: Tensor) -> None:
        """Logits (N,) of one step."""
        self._real.append(real.detach())
        self._fake.append(fake.detach())

    def read(self) -> dict[str, Any]:
        """Means, deviations, accuracy and a histogram, and starts anew; nothing where nothing was said."""
        if not self._real:
            return {}
        real, fake = (torch.cat(values).float().cpu().numpy() for values in (self._real, self._fake))
        self._real, self._fake = [], []
        return describe_logits(real, fake)


def describe_logits(real: NDArray[np.floating], fake: NDArray[np.floating]) -> dict[str, Any]:
    """`logit_*`, `logit_*_std`, `d_*` (means of the sigmoid), `accuracy_*` (shares on the right side of 0), `logits`.

    `logits` is a histogram over the range of both: {low, high, real: counts, fake: counts}. Nothing where a logit is not
    finite.
    """
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        return {}
    found: dict[str, Any] = {}
    for name, values, right in (("real", real, real > 0), ("fake", fake, fake < 0)):
        wide = values.astype(np.float64)
        found[f"logit_{name}"] = float(wide.mean())
        found[f"logit_{name}_std"] = float(wide.std())
        found[f"d_{name}"] = float(_sigmoid(wide).mean())
        found[f"accuracy_{name}"] = float(right.mean())
    return found | {"logits": _histogram(real, fake)}


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-np.logaddexp(0, -logits))


def _histogram(real: NDArray[np.floating], fake: NDArray[np.floating]) -> dict[str, Any]:
    low, high = float(min(real.min(), fake.min())), float(max(real.max(), fake.max()))
    if not low < high:
        low, high = low - 0.5, high + 0.5
    counts = {name: np.histogram(v, BINS, (low, high))[0].tolist() for name, v in (("real", real), ("fake", fake))}
    return {"low": low, "high": high, **counts}
