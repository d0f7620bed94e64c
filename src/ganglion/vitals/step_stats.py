"""All measurements during the steps of a record; nothing synchronises with the device until they are read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ganglion.objectives.adversarial import per_image
from ganglion.vitals.gradients import NETWORKS, GradientStats
from ganglion.vitals.scalars import (
    LogitStats,
    NonFiniteTracker,
    Reading,
    ScalarMeans,
    first_non_finite,
    row_of,
)

__all__ = ["CLOSE_LOOKS", "StepStats", "clip_share"]


CLOSE_LOOKS = 4
"""Steps per record at which updates of the weights are measured."""


class Collectives(Protocol):
    """What the processes of a training tell each other."""

    def mean(self, values: Tensor) -> Tensor: ...

    def minimum(self, values: Tensor) -> Tensor: ...


class StepStats:
    """Losses, logits, gradients and updates since the last record. What its methods measure is kept by `Reading.keep`."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        self.means, self.logits, self.bad = ScalarMeans(), LogitStats(), NonFiniteTracker()
        self.g, self.d = GradientStats("g", generator, self.bad), GradientStats("d", discriminator, self.bad)

    def begin(self, step: int, closely: bool) -> None:
        """Start of step `step`; `closely`: the updates of the weights are measured in it."""
        for player in (self.g, self.d):
            player.step, player.closely = step, closely

    def losses(self, player: str, parts: Mapping[str, Tensor], total: Tensor) -> Reading:
        """Loss of one update of network g or d, and its terms."""
        names = (f"loss_{player}", *(f"loss_{player}_{name}" for name in parts))
        return Reading(partial(self._keep_losses, player, names), (row_of((total, *parts.values())),))

    def _keep_losses(self, player: str, names: tuple[str, ...], row: Tensor) -> None:
        self.means.add_row(names, row)
        self.bad.check(f"loss {player}", [f"loss of the {NETWORKS[player]}"], row[:1], self.g.step)

    def logits_seen(self, real: Tensor, fake: Tensor, auc: Tensor) -> Reading:
        """D's logits on reals (N,) and fakes (M,) in one of its updates, and their AUC (); maps (N, P) count by their means."""
        return Reading(self._keep_logits, (per_image(real.detach()), per_image(fake.detach()), row_of([auc])))

    def _keep_logits(self, real: Tensor, fake: Tensor, auc: Tensor) -> None:
        self.logits.add(real, fake)
        self.means.add_row(("separation",), auc)

    def merge(self, collectives: Collectives) -> None:
        """Makes them those of the whole batch, of which each process saw a share; logits and gradients are those already."""
        self.means.merge(collectives.mean)
        self.bad.merge(collectives.minimum)

    def read(self) -> dict[str, Any]:
        """Returns all values by their keys in a record, and resets. Non-finite values have no key; `non_finite` is the first
        non-finite tensor and its step.
        """
        found = self.means.read() | self.logits.read() | self.g.read() | self.d.read()
        finite = {key: value for key, value in found.items() if _is_finite(value)}
        bad = first_non_finite(self.bad.read())
        return finite | ({"non_finite": bad} if bad else {})


def clip_share(network: nn.Module, bound: float) -> float:
    """Share of the weights at the clip bound."""
    at_bound = [(weight.detach().abs() >= bound * (1 - 1e-6)).sum() for weight in network.parameters()]
    return float(torch.stack(at_bound).sum()) / sum(weight.numel() for weight in network.parameters())


def _is_finite(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_finite(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return all(_is_finite(inner) for inner in value)
    return value is None or math.isfinite(value)
