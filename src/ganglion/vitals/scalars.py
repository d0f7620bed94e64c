"""Statistics over the steps of a record: means of scalars, D's logits and their AUC, the first non-finite number.

Values stay on the device; nothing synchronises until they are read. N images, M images."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["LogitStats", "NonFiniteTracker", "ScalarMeans", "first_non_finite", "logit_statistics", "separation"]


def separation(real: Tensor, fake: Tensor) -> Tensor:
    """AUC of D's logits: the probability that a real image (N,) has a higher logit than a fake one (M,), ties counted half.

    In [0, 1]; 0.5: chance, 1: perfect separation. The area under the ROC curve; Mann and Whitney 1947.
    """
    pairs = real[:, None] - fake[None]  # (N, M)
    return (pairs.sign().mean() + 1) / 2


class ScalarMeans:
    """Means of scalar tensors since the last read, each over the steps that added it.

    Sums and counts are tensors that are only ever written in place, so that additions can be part of a CUDA graph.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], Tensor] = {}
        """Of the scalars that are added together: their K sums, and the number of additions; float32 (K + 1,)."""

    def add(self, **values: Tensor) -> None:
        """One step's scalars, as zero-dimensional tensors."""
        scalars = [value.detach().float() for value in values.values()]
        added = torch.stack([*scalars, scalars[0].new_ones(())])  # (K + 1,)
        group = tuple(values)
        if group not in self._sums:
            self._sums[group] = torch.zeros_like(added)
        self._sums[group].add_(added)

    def merge(self, mean: Callable[[Tensor], Tensor]) -> None:
        """Makes them those of all processes. `mean` is over these, and each has the same scalars."""
        if self._sums:
            sums = list(self._sums.values())
            merged_sums = torch.split(mean(torch.cat(sums)), [len(one) for one in sums])
            for mine, merged in zip(sums, merged_sums, strict=True):
                mine.copy_(merged)

    def read(self) -> dict[str, float]:
        """Returns the means and resets. One transfer from the device, whatever the number of values."""
        if not self._sums:
            return {}
        numbers = iter(torch.cat(list(self._sums.values())).tolist())
        sums: dict[str, float] = {}
        counts: dict[str, float] = {}
        for group, tensor in self._sums.items():
            *added, count = itertools.islice(numbers, len(tensor))
            for name, value in zip(group, added, strict=True):
                sums[name] = sums.get(name, 0.0) + value
                counts[name] = counts.get(name, 0.0) + count
            tensor.zero_()
        return {name: total / counts[name] for name, total in sums.items() if counts[name]}


NEVER = -1


class NonFiniteTracker:
    """For each of several named scalars, the first step at which it was not finite."""

    def __init__(self) -> None:
        self._steps: dict[str, Tensor] = {}
        self._names: dict[str, Sequence[str]] = {}

    def check(self, group: str, names: Sequence[str], values: Tensor, step: int | Tensor) -> None:
        """`values` (K,) of step `step`, in the order of `names`; a group keeps its names."""
        if group not in self._steps:
            self._names[group] = list(names)
            self._steps[group] = torch.full((len(values),), NEVER, device=values.device)
        first = self._steps[group]
        first.masked_fill_(~values.detach().isfinite() & (first == NEVER), step)

    def merge(self, minimum: Callable[[Tensor], Tensor]) -> None:
        """Takes in what other processes found. `minimum` is over these, and each has checked the same groups."""
        if not self._steps:
            return
        steps = torch.cat(list(self._steps.values()))
        latest = torch.iinfo(steps.dtype).max
        merged = minimum(torch.where(steps == NEVER, latest, steps))
        parts = torch.split(
            torch.where(merged == latest, NEVER, merged), [len(steps) for steps in self._steps.values()]
        )
        self._steps = {group: part.clone() for group, part in zip(self._steps, parts, strict=True)}

    def read(self) -> list[tuple[int, str]]:
        """(step, name) of all scalars that were ever non-finite, by step; within a step, by group."""
        found = []
        for group, steps in self._steps.items():
            found += [(step, name) for step, name in zip(steps.tolist(), self._names[group], strict=True) if step >= 0]
        return sorted(found, key=lambda one: one[0])  # stable: within a step, in the order of the groups


def first_non_finite(found: list[tuple[int, str]]) -> dict[str, object] | None:
    """The first of `read` as a record has it: {step, tensor}."""
    return {"step": found[0][0], "tensor": found[0][1]} if found else None


BINS = 32


class LogitStats:
    """D's logits on reals and on fakes since the last read."""

    def __init__(self) -> None:
        self._real: list[Tensor] = []
        self._fake: list[Tensor] = []

    def add(self, real: Tensor, fake: Tensor) -> None:
        """Logits on reals (N,) and fakes (M,) of one step; copied, since a replayed step writes over its own."""
        self._real.append(real.detach().clone())
        self._fake.append(fake.detach().clone())

    def merge(self, gathered: Callable[[Tensor], Tensor]) -> None:
        """Takes in the logits of other processes. `gathered` are the values (N,) of all of these."""
        if self._real:
            self._real, self._fake = ([gathered(torch.cat(values))] for values in (self._real, self._fake))

    def read(self) -> dict[str, Any]:
        """Returns means, standard deviations, accuracies and a histogram, and resets; empty where there are no logits."""
        if not self._real:
            return {}
        real, fake = (torch.cat(values).float().cpu().numpy() for values in (self._real, self._fake))
        self._real, self._fake = [], []
        return logit_statistics(real, fake)


def logit_statistics(real: NDArray[np.floating], fake: NDArray[np.floating]) -> dict[str, Any]:
    """`logit_*`, `logit_*_std`, `d_*` (means of the sigmoid), `accuracy_*` (shares on the right side of 0), `logits`.

    `logits` is a histogram over the range of both: {low, high, real: counts, fake: counts}. Empty where a logit is not
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
