"""Statistics over the steps of a record: means of scalars, D's logits and their AUC, the first non-finite number.

Values stay on the device; nothing synchronises until they are read. N images, M images."""

from __future__ import annotations

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


ROWS = 256
"""Steps whose values are kept apart before they are summed up. An operation on few values costs as much as one on many, so
that a step only keeps its own and a read does the rest."""


class ScalarMeans:
    """Means of scalar tensors since the last read, each over the steps that added it."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, ...], list[Tensor]] = {}
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    @torch.no_grad()
    def add(self, **values: Tensor) -> Tensor:
        """One step's scalars, as zero-dimensional tensors; returns them in float32 as a tensor of its own (K,)."""
        row = torch.stack([value if value.dtype == torch.float32 else value.float() for value in values.values()])
        self.add_row(tuple(values), row)
        return row

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
        self._steps: dict[str, Tensor] = {}
        self._names: dict[str, Sequence[str]] = {}

    def check(self, group: str, names: Sequence[str], values: Tensor, step: int) -> None:
        """`values` (K,) of one step, in the order of `names`, which nobody changes later; a group keeps its names."""
        self._names.setdefault(group, list(names))
        rows = self._rows.setdefault(group, [])
        rows.append((step, values.detach()))
        if len(rows) >= ROWS:
            self._look(group)

    def _look(self, group: str) -> None:
        """Looks through the values that were kept."""
        steps, rows = zip(*self._rows.pop(group), strict=True)
        bad = ~torch.stack(rows).isfinite()  # (S, K)
        first = torch.tensor(steps, device=bad.device)[bad.int().argmax(0)]  # the first of equal ones
        found = torch.where(bad.any(0), first, NEVER)
        before = self._steps.get(group)
        self._steps[group] = found if before is None else torch.where(before == NEVER, found, before)

    def _look_at_all(self) -> None:
        for group in list(self._rows):
            self._look(group)

    def merge(self, minimum: Callable[[Tensor], Tensor]) -> None:
        """Takes in what other processes found. `minimum` is over these, and each has checked the same groups."""
        self._look_at_all()
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
        self._look_at_all()
        found = []
        for group in self._names:
            named = zip(self._steps[group].tolist(), self._names[group], strict=True)
            found += [(step, name) for step, name in named if step >= 0]
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
