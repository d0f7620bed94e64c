"""What one training step is given and what it returns. Everything that differs between two steps of a kind is a tensor.

So a step can be captured as a CUDA graph and replayed: the graph reads the tensors anew, and nothing else of the host.
N images in a batch, C channels, H height, W width, Z latent dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ganglion.objectives.penalties import due
from ganglion.platform.devices import computes_from_tensors
from ganglion.recipe.schema import Recipe
from ganglion.training.running_stats import RunningStats
from ganglion.vitals.scalars import Reading

__all__ = ["StepInputs", "StepNumbers", "StepPlan", "StepResult", "Turn", "numbers_on"]


@dataclass(frozen=True)
class StepPlan:
    """The kind of a step: steps with equal plans run the same operations."""

    updates: tuple[int, ...]
    """For each turn of D, the lowest number of an update with the same penalties due."""
    d_paused: bool
    g_paused: bool
    closely: bool
    """Whether the updates of the weights are measured."""
    noisy: bool
    """Whether there is instance noise at this step."""
    halvings: int = 0
    """How many times the images of the step are halved."""

    @classmethod
    def of(
        cls, recipe: Recipe, running: RunningStats, step: int, closely: bool, noisy: bool, halvings: int = 0
    ) -> StepPlan:
        """The plan after `step` steps. Where the recipe pauses players, this waits for the device."""
        balance, penalties = recipe.balance, recipe.objective.penalties
        d_paused, g_paused = running.paused(balance)
        first = running.d_update_number(balance, step, 0)
        turns = [first + (0 if d_paused else turn) for turn in range(balance.d_steps)]
        alike = tuple(next(u for u in range(turn + 1) if due(penalties, u) == due(penalties, turn)) for turn in turns)
        return cls(alike, d_paused, g_paused, closely, noisy, halvings)


class StepNumbers(NamedTuple):
    """Plain numbers of a step; as tensors they are scalars on the device."""

    noise: float | Tensor
    """Standard deviation of instance noise."""
    matching: float | Tensor
    """Factor of feature matching's weight."""
    ema_kept: float | Tensor
    """Share of the averaged weights that survives the step."""
    mean_share: float | Tensor
    """Weight of the new weights in their mean over all steps."""


class Turn(NamedTuple):
    """What one update of D is given."""

    real: Tensor
    """(N, C, H, W)"""
    labels: Tensor | None
    """int64 (N,)"""
    z: Tensor
    """(N, Z)"""


class StepInputs(NamedTuple):
    """What a step is given."""

    turns: list[Turn]
    more_z: list[Tensor]
    """Latents (N, Z) of G's second and further turns."""

    def tensors(self) -> list[Tensor]:
        return [tensor for turn in self.turns for tensor in turn if tensor is not None] + self.more_z

    def copied(self) -> StepInputs:
        """The same values in tensors of their own."""
        turns = [Turn(*(None if one is None else one.clone() for one in turn)) for turn in self.turns]  # type: ignore[arg-type]
        return StepInputs(turns, [z.clone() for z in self.more_z])

    def fill(self, values: StepInputs) -> None:
        """Writes `values` into these tensors."""
        for mine, new in zip(self.tensors(), values.tensors(), strict=True):
            mine.copy_(new, non_blocking=True)


class StepResult(NamedTuple):
    """What a step returns. Of a replayed step the images, latents and labels hold until the next one."""

    real: Tensor
    """The last turn's, (N, C, H, W)."""
    fake: Tensor
    """G's last images, (N, C, H, W), without their graph."""
    z: Tensor
    labels: Tensor | None
    """Of these images."""
    measured: list[Reading]
    """In the order of the step; kept once the step is over. Of a replayed step these are copies."""


class _OnDevice:
    """Writes each step's numbers into the same tensors, without waiting for the device."""

    def __init__(self, device: torch.device) -> None:
        self._cells = StepNumbers(*(torch.zeros((), device=device) for _ in StepNumbers._fields))

    def __call__(self, numbers: StepNumbers) -> StepNumbers:
        for cell, number in zip(self._cells, numbers, strict=True):
            assert isinstance(cell, Tensor)
            cell.fill_(number)
        return self._cells


def numbers_on(device: torch.device, tensors: bool = False) -> Callable[[StepNumbers], StepNumbers]:
    """How a step gets its numbers: as tensors where `tensors` or on a CUDA device, otherwise as they are."""
    if tensors or computes_from_tensors(device):
        return _OnDevice(device)
    return lambda numbers: numbers
