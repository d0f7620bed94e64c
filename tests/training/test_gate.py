"""Above the gate nothing waits for the device: no value of a tensor is asked for at a step that makes no record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch.utils._python_dispatch import TorchDispatchMode

from ganglion.data.batches import Batches
from ganglion.platform.interrupt import Interrupt
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import preset_names
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.loop import train_loop
from ganglion.training.prepare import build_first_players, prepare_run
from tiny import TINY

WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2", "is_nonzero"}
"""Operations whose result the CPU needs before it can go on: .item(), float(), bool(), .tolist(), boolean indices."""
STEPS = 4
PRESETS = [name for name in preset_names() if name != "auto"]


class Waits(TorchDispatchMode):
    """Notes each such operation and the number of steps that were finished before it."""

    def __init__(self, progress: TrainingProgress) -> None:
        super().__init__()
        self.progress = progress
        self.seen: list[tuple[int, str]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        indices = args[1] if name == "index" else ()
        if name in WAITING or any(one is not None and one.dtype == torch.bool for one in indices):
            self.seen.append((self.progress.step, name))
        return func(*args, **(kwargs or {}))


def waits(name: str, cache: Path, **more: object) -> list[tuple[int, str]]:
    changes = TINY | {"training.tick_kimg": 100, "training.snapshot_kimg": 100, "data.size": 16} | more
    if name == "r3gan":
        changes |= {"generator.group": 4, "discriminator.group": 4}
    request: Any = {"recipe": name, "steps": STEPS, "precision": "32", "set": changes}
    prepared = prepare_run("digits", request, Screen(quiet=True), "cpu", 1, cache)
    recipe, progress = prepared.recipe, TrainingProgress()
    batches = Batches(prepared.store, 0, torch.device("cpu"))
    players = build_first_players(recipe, batches)
    with Waits(progress) as mode:
        train_loop(
            Fabric(accelerator="cpu", devices=1), recipe, batches, players, progress, None, Interrupt(),
        )  # fmt: skip
    return mode.seen


@pytest.mark.parametrize("name", PRESETS)
def test_a_step_without_a_record_asks_for_no_value_of_a_tensor(name: str, cache: Path) -> None:
    seen = waits(name, cache)
    assert not [(step, what) for step, what in seen if step < STEPS]
    assert seen  # the last step makes a record


def test_a_recipe_that_pauses_players_asks_for_some_at_every_step(cache: Path) -> None:
    seen = waits("dcgan", cache, **{"balance.pause_above_auc": 0.9})
    assert {step for step, _ in seen} > set(range(1, STEPS))
