"""Steps that are replayed with the addresses and numbers of one captured step end with the bits of steps that simply ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ganglion.data.batches import Batches
from ganglion.networks.custom import from_modules
from ganglion.objectives.adversarial import AdversarialLoss
from ganglion.platform.cores import LoadMeter
from ganglion.platform.interrupt import Interrupt
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.runs.folder import Run
from ganglion.runs.journal import RunJournal
from ganglion.training import replay as room
from ganglion.training.loop import train_loop
from ganglion.training.outputs import RunOutputs, Snapshots, TrainingProbe
from ganglion.training.own import Own
from ganglion.training.players import Players
from ganglion.training.prepare import build_first_players, prepare_run
from ganglion.training.replay import Replay, replay_for
from ganglion.training.speed_watch import SpeedWatch
from recorder import record
from tiny import TINY

STEPS = 13
PENALTIES = [{"kind": "r1", "interval_updates": 3}, {"kind": "lecam", "interval_updates": 2, "weight": 0.1}]
RECIPES: dict[str, tuple[str, dict[str, object]]] = {
    **{name: (name, {}) for name in ("dcgan", "improved", "r3gan")},
    "wgan-gp": ("wgan-gp", {"balance.d_steps": 2}),
    "wgan": ("wgan", {"balance.d_steps": 2}),
    "sngan": ("sngan", {"balance.d_steps": 2, "data.conditional": True}),
    "lazy penalties": ("fast", {"objective.penalties": PENALTIES, "balance.d_steps": 2, "balance.g_steps": 2}),
    "all that is remembered": ("dcgan", {
        "augment.kind": "ada", "augment.target": -0.5, "augment.speed_kimg": 0.1, "objective.penalties": [
            {"kind": "lecam", "weight": 0.1}], "objective.historical_averaging_weight": 0.01,
        "objective.instance_noise": {"std": 0.2, "decay_kimg": 0.08}, "discriminator.norm": "none",
        "objective.feature_matching": {"weight": 0.1, "ramp_kimg": 0.1}, "optimizer.schedule": "cosine",
        "optimizer.warmup_kimg": 0.05, "optimizer.generator.kind": "adamw",
    }),
    "paused players": ("dcgan", {"balance.pause_above_auc": 0.55, "optimizer.discriminator.lr": 0.002}),
    "one stage": ("r3gan", {"balance.updates": "simultaneous", "generator.group": 4, "discriminator.group": 4}),
    "sizes that grow": ("fast", {"generator.family": "skip", "discriminator.family": "skip", "training.progressive": 0.6,
        "data.size": 32}),
    "bf16": ("fast", {"training.precision": "bf16"}),
    "micro-batches": ("dcgan", {"training.micro_batch": 4, "balance.g_steps": 2, "objective.penalties": [
        {"kind": "r1", "interval_updates": 2}], "discriminator.norm": "none"}),
    "micro-batches in one stage": ("fast", {"training.micro_batch": 3, "balance.updates": "simultaneous"}),
}  # fmt: skip


CLOCK = {"seconds", "images_per_sec", "eta_sec", "other_load"}


def prepared(name: str, more: dict[str, object], cache: Path) -> tuple[Recipe, Batches, Players]:
    changes = TINY | {"data.size": 16, "training.precision": "32"} | more
    if name == "r3gan":
        changes |= {"generator.group": 4, "discriminator.group": 4}
    found = prepare_run("digits", {"recipe": name, "steps": STEPS, "set": changes}, Screen(quiet=True), "cpu", 1, cache)
    batches = Batches(found.store, 0, torch.device("cpu"), found.recipe.data.conditional)
    return found.recipe, batches, build_first_players(found.recipe, batches)


def with_rates_as_tensors(players: Players) -> None:
    """As on a CUDA device; RMSprop takes a tensor there alone."""
    for optimizer in players.optimizers().values():
        for group in optimizer.param_groups:
            if "alpha" not in group:
                group["lr"] = torch.tensor(group["lr"], dtype=torch.float64)


def trained(
    case: str, replay: Replay, cache: Path, folder: Path | None = None,
    change: Callable[[Players], None] = with_rates_as_tensors,
) -> dict[str, Tensor]:  # fmt: skip
    """All weights, moments and statistics after STEPS steps; records are written into `folder`."""
    recipe, batches, players = prepared(*RECIPES[case], cache)
    change(players)
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed" if case == "bf16" else "32-true")
    loop = partial(train_loop, fabric, recipe, batches, players, TrainingProgress())
    if folder is None:
        loop(None, Interrupt(), replay=replay)
    else:
        Run(folder).begin(recipe, {})
        with closing(RunJournal(folder, 0, lambda text: None)) as journal:
            probe = TrainingProbe(recipe, batches, players, fabric.device, fabric.autocast)
            snapshots = Snapshots(recipe, batches, journal, fabric.device)
            speed = SpeedWatch(lambda text: None, 1, LoadMeter())
            outputs = RunOutputs(Run(folder), journal, probe, snapshots, lambda fraction, line: None, speed)
            loop(outputs, Interrupt(), replay=replay)
    moments = {
        f"{name}.{number}.{quantity}": value
        for name, optimizer in players.optimizers().items()
        for number, quantities in optimizer.state_dict()["state"].items()
        for quantity, value in quantities.items()
    }
    return dict(players.state()) | moments


def differing(a: dict[str, Tensor], b: dict[str, Tensor]) -> list[str]:
    assert a.keys() == b.keys()
    return [name for name in a if not torch.equal(a[name], b[name])]


def eager() -> Replay:
    """Runs each step, with the same tensors as a replay."""
    return Replay(None, from_tensors=True)


@pytest.mark.parametrize("case", RECIPES)
def test_replayed_steps_end_with_the_bits_of_steps_that_ran(case: str, cache: Path) -> None:
    replay = Replay(record)
    assert not differing(trained(case, replay, cache), trained(case, eager(), cache))
    assert replay.replayed >= STEPS / 3


def test_their_records_are_the_same_too(cache: Path, tmp_path: Path) -> None:
    case, found = "lazy penalties", []
    for name, replay in (("replayed", Replay(record)), ("ran", eager())):
        trained(case, replay, cache, tmp_path / name)
        lines = (tmp_path / name / "vitals.jsonl").read_text().splitlines()
        found.append([{k: v for k, v in json.loads(line).items() if k not in CLOCK} for line in lines])
    assert found[0] == found[1]
    assert len(found[0]) > 3
    assert found[0][-1]["step"] == STEPS


def test_numbers_as_tensors_change_no_bit_but_those_of_averages(cache: Path) -> None:
    changed = differing(
        trained("lazy penalties", eager(), cache), trained("lazy penalties", Replay(None), cache, change=lambda _: None)
    )
    assert {name.partition(".")[0] for name in changed} <= {"ema"}


def test_a_number_that_is_read_on_the_host_would_be_seen_here(cache: Path) -> None:
    """Learning rates that fall over the run, as plain numbers: a replay repeats the one of the captured step."""
    case = "all that is remembered"
    rates = trained(case, Replay(record), cache, change=lambda _: None), trained(case, eager(), cache)
    assert [name for name in differing(*rates) if name.startswith("generator.")]


def asks_for_a_value(players: Players) -> None:
    with_rates_as_tensors(players)
    players.generator.register_forward_hook(lambda _, __, images: float(images.detach().mean()) and None)


def test_where_a_capture_fails_the_run_says_why_once_and_goes_on_with_the_same_bits(cache: Path) -> None:
    said: list[str] = []
    replay = Replay(record, said.append)
    found = trained("lazy penalties", replay, cache, change=asks_for_a_value)
    assert not differing(found, trained("lazy penalties", eager(), cache))
    assert replay.replayed == 0
    (text,) = said
    assert text.startswith(
        "Steps run without CUDA graphs, since capturing one failed (RuntimeError: operation not permitted"
    )


def test_of_more_kinds_of_steps_than_are_captured_the_rest_runs(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_KINDS", 1)
    replay = Replay(record)
    assert not differing(trained("lazy penalties", replay, cache), trained("lazy penalties", eager(), cache))
    assert 0 < replay.replayed < STEPS / 2


CUDA = torch.device("cuda")
OWN: dict[str, Any] = {
    "none": Own(),
    "networks": Own(networks=from_modules(nn.Linear(2, 2), nn.Linear(2, 1))),
    "loss": Own(adversarial=AdversarialLoss(torch.add, torch.add)),
}


@pytest.mark.parametrize(("wanted", "device", "processes", "own", "expected"), [
    ("auto", "cuda", 1, "none", True), ("auto", "cpu", 1, "none", False), ("on", "cpu", 1, "none", False),
    ("off", "cuda", 1, "none", False), ("auto", "cuda", 2, "none", False), ("on", "cuda", 2, "none", True),
    ("auto", "cuda", 1, "networks", False), ("auto", "cuda", 1, "loss", False), ("on", "cuda", 1, "networks", True),
])  # fmt: skip
def test_graphs_are_for_cuda_and_for_steps_that_are_known(
    wanted: str, device: str, processes: int, own: str, expected: bool
) -> None:
    recipe = resolve("dcgan", {"training.cuda_graph": wanted})
    found = replay_for(recipe, torch.device(device), processes, OWN[own], capture=lambda: record)
    assert found.from_tensors == expected


@pytest.mark.parametrize(("written", "meant"), [(True, "on"), (False, "off"), ("auto", "auto")])
def test_on_and_off_are_read_as_yaml_has_them(written: object, meant: str) -> None:
    assert resolve("dcgan", {"training.cuda_graph": written}).training.cuda_graph == meant
