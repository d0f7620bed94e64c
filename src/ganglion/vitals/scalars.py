"""Statistics over the steps of a record: means of scalars, D's logits and their AUC, the first non-finite number.

Values stay on the device; nothing synchronises until they are read. N images, M images."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = [
    "LogitStats",
    "NonFiniteTracker",
    "Reading",
    "ScalarMeans",
    "copied",
    "first_non_finite",
    "logit_statistics",
    "row_of",
    "separation",
]


def separation(real: Tensor, fake: Tensor) -> Tensor:
    """AUC of D's logits: the probability that a real image (N,) has a higher logit than a fake one (M,), ties counted half.

    In [0, 1]; 0.5: chance, 1: perfect separation. The area under the ROC curve; Mann and Whitney 1947.
    """
    pairs = real[:, None] - fake[None]  # (N, M)
    return (pairs.sign().mean() + 1) / 2


class Reading(NamedTuple):
    """Tensors that a step measured, and the function that keeps them. Measuring can be captured as a CUDA graph, keeping not:
    a replayed step measures into the same tensors each time, so that copies of them are kept."""

    keeper: Callable[..., None]
    values: tuple[Tensor, ...]

    def keep(self) -> None:
        self.keeper(*self.values)


def copied(readings: Sequence[Reading]) -> list[Reading]:
    """The same with values of their own, by one operation on the device."""
    old = [tensor.detach() for reading in readings for tensor in reading.values]
    whole = torch.cat([tensor.flatten() for tensor in old])
    parts = torch.split(whole, [tensor.numel() for tensor in old])
    new = iter([part.view_as(tensor) for part, tensor in zip(parts, old, strict=True)])
    return [reading._replace(values=tuple(next(new) for _ in reading.values)) for reading in readings]


ROWS = 256
"""Steps whose values are kept apart before they are summed up. An operation on few values costs as much as one on many, so
that a step only keeps its own and a read does the rest."""


@torch.no_grad()
def row_of(scalars: Iterable[Tensor]) -> Tensor:
    """Zero-dimensional tensors in float32, as a tensor of its own (K,)."""
    return torch.stack([value if value.dtype == torch.float32 else value.float() for value in scalars])


class ScalarMeans:
    """Means of scalar tensors since the last read, each over the steps that added it."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, ...], list[Tensor]] = {}
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, **values: Tensor) -> None:
        """One step's scalars, as zero-dimensional tensors."""
        self.add_row(tuple(values), row_of(values.values()))

    def add_row(self, names: tuple[str, ...], row: Tensor) -> None:
        """The same as a tensor (K,) that nobody changes later."""
        rows = self._rows.setdefault(names, [])
        rows.append(row)
        if len(rows) >= ROWS:
            self._sum_up(names)

    def _sum_up(self, names: tuple[str, ...]) -> None:
        rows = self._rows.pop(names)
        for name, total in zip(names, torch.stack(rows).sum(0).unbind(), strict=True):
            self._sums[name] = self._sums[name] + total if name in self._sums else total
            self._counts[name] = self._counts.get(name, 0) + len(rows)

    def _sum_up_all(self) -> None:
        for names in list(self._rows):
            self._sum_up(names)

    def merge(self, mean: Callable[[Tensor], Tensor]) -> None:
        """Makes them those of all processes. `mean` is over these, and each has the same scalars."""
        self._sum_up_all()
        if self._sums:
            merged = mean(torch.stack(list(self._sums.values())))
            self._sums = dict(zip(self._sums, merged.unbind(), strict=True))

    def read(self) -> dict[str, float]:
        """Returns the means and resets. One transfer from the device, whatever the number of values."""
        self._sum_up_all()
        if not self._sums:
            return {}
        sums = torch.stack(list(self._sums.values())).tolist()
        means = {name: total / self._counts[name] for name, total in zip(self._sums, sums, strict=True)}
        self._sums, self._counts = {}, {}
        return means


NEVER = -1


class NonFiniteTracker:
    """For each of several named scalars, the first step at which it was not finite."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[int, Tensor]]] = {}
        self._looks: dict[str, list[tuple[tuple[int, ...], Tensor]]] = {}
        """Of some steps, which was the first bad one of each scalar, by its place among them; (K,), on the device."""
        self._first: dict[str, list[int]] = {}
        self._names: dict[str, Sequence[str]] = {}
        self._device = torch.device("cpu")

    def check(self, group: str, names: Sequence[str], values: Tensor, step: int) -> None:
        """`values` (K,) of one step, in the order of `names`, which nobody changes later; a group keeps its names."""
        if group not in self._names:
            self._names[group], self._first[group], self._device = list(names), [NEVER] * len(names), values.device
        rows = self._rows.setdefault(group, [])
        rows.append((step, values.detach()))
        if len(rows) >= ROWS:
            self._look(group)

    def _look(self, group: str) -> None:
        """Looks through the values that were kept, without waiting for the device."""
        steps, rows = zip(*self._rows.pop(group), strict=True)
        bad = ~torch.stack(rows).isfinite()  # (S, K)
        first = torch.where(bad.any(0), bad.int().argmax(0), NEVER)  # the first of equal ones
        self._looks.setdefault(group, []).append((steps, first))

    def _bring(self) -> None:
        """Brings what was found to the host."""
        for group in list(self._rows):
            self._look(group)
        for group, looks in self._looks.items():
            places = torch.stack([first for _, first in looks]).tolist()
            for (steps, _), found in zip(looks, places, strict=True):
                now = [NEVER if place == NEVER else steps[place] for place in found]
                before = self._first[group]
                self._first[group] = [old if old != NEVER else new for old, new in zip(before, now, strict=True)]
        self._looks = {}

    def merge(self, minimum: Callable[[Tensor], Tensor]) -> None:
        """Takes in what other processes found. `minimum` is over these, and each has checked the same groups."""
        self._bring()
        latest = torch.iinfo(torch.int64).max
        steps = [latest if step == NEVER else step for group in self._first.values() for step in group]
        if not steps:
            return
        merged = iter(minimum(torch.tensor(steps, device=self._device)).tolist())
        for group in self._first.values():
            group[:] = [NEVER if step == latest else step for step in itertools.islice(merged, len(group))]

    def read(self) -> list[tuple[int, str]]:
        """(step, name) of all scalars that were ever non-finite, by step; within a step, by group."""
        self._bring()
        found = []
        for group, steps in self._first.items():
            found += [(step, name) for step, name in zip(steps, self._names[group], strict=True) if step != NEVER]
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
        """Logits on reals (N,) and fakes (M,) of one step."""
        self._real.append(real.detach())
        self._fake.append(fake.detach())

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
