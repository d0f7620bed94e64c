"""A run in two processes on this machine, over gloo: what it raises, how it stops, and what it learns beside a single one.

Processes take seconds to start, so one start serves several tests: what they found is left in files.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

import ganglion
from ganglion.data.batches import Batch
from ganglion.errors import RunError, StorageError, TrainingFailed
from ganglion.networks.batch_norm import BatchNormOverProcesses, gathered, synchronise_batch_norm
from ganglion.platform.interrupt import Interrupt
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress, restore, save_checkpoint
from ganglion.training.collectives import Collectives, of_each_share
from ganglion.training.loop import train_loop
from ganglion.training.players import Players, build_players
from ganglion.training.processes import launch
from ganglion.training.train import train
from gaussian_mixtures import PLANES, PlaneBatches
from tiny import TINY, as_options

CPU = torch.device("cpu")
STEPS, BATCH = 6, 8

CRITIC = {
    "generator.norm": "none", "discriminator.norm": "none", "objective.adversarial": "wasserstein",
    "objective.penalties": [{"kind": "r1", "weight": 1.0}], "balance.d_steps": 2,
}  # fmt: skip
"""A critic with a penalty on its gradient that draws nothing at random, and no statistics of a batch."""
RECIPES: dict[str, tuple[str, dict[str, object]]] = {
    "batch norm": ("dcgan", {}),
    "critic": ("dcgan", CRITIC),
    "wgan-gp": ("wgan-gp", {"balance.d_steps": 2}),
    "remembers": (
        "dcgan",
        {
            "objective.penalties": [{"kind": "lecam", "weight": 0.1}, {"kind": "r1", "interval_updates": 2}],
            "discriminator.norm": "none",
            "augment.kind": "ada", "augment.speed_kimg": 0.05, "balance.pause_above_auc": 0.6,
            "discriminator.minibatch": "stddev", "objective.historical_averaging_weight": 0.01,
        },
    ),
}  # fmt: skip


def tiny_recipe(name: str, steps: int = STEPS) -> Recipe:
    preset, changes = RECIPES[name]
    small = {
        "generator.width": 4, "discriminator.width": 4, "latent.dim": 8, "data.size": 16, "data.channels": 1,
        "training.kimg": None, "training.minutes": None, "training.steps": steps, "training.batch": BATCH,
        "training.precision": "32", "training.tick_kimg": 0.016,
    }  # fmt: skip
    return resolve(preset, small | changes)


class Noise(PlaneBatches):
    """Images (N, 1, 16, 16) that follow from their place in the order; from `broken` images on the second of two is NaN."""

    def __init__(self, broken: int | None = None) -> None:
        super().__init__(PLANES["ring8"], 0)
        self.broken = broken

    def take(self, first: int, count: int, part: slice = slice(None)) -> Batch:
        images = torch.rand(count, 1, 16, 16, generator=torch.Generator().manual_seed(first)) * 2 - 1
        if self.broken is not None and first >= self.broken:
            images[1::2] = float("nan")
        return Batch(images[part], None)


def trained(
    fabric: Fabric, name: str, steps: int = STEPS, start: tuple[Players, TrainingProgress] | None = None,
    broken: int | None = None,
) -> tuple[Players, TrainingProgress]:  # fmt: skip
    settings = tiny_recipe(name, steps)
    players, progress = start or (build_players(settings, CPU), TrainingProgress())
    assert train_loop(fabric, settings, Noise(broken), players, progress, None, Interrupt())
    return players, progress


def trained_in_two_sittings(fabric: Fabric, name: str, folder: Path) -> Players:
    players, progress = trained(fabric, name, STEPS // 2)
    if fabric.global_rank == 0:
        save_checkpoint(folder / name, players.networks(), players.optimizers(), progress)
    fabric.barrier()
    again = build_players(tiny_recipe(name), CPU)
    found = restore(folder / name, again.networks(), again.optimizers(), lambda _: None)
    assert found
    return trained(fabric, name, start=(again, found))[0]


def tensors_of(players: Players) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value.detach().clone()
        for name, network in players.networks().items()
        for key, value in network.state_dict().items()
    }


def what_two_learn(fabric: Fabric, *, interrupt: Interrupt, folder: Path) -> bool:
    """Every recipe in one sitting and in two, and one whose second process sees images that are NaN."""
    faulthandler.dump_traceback_later(120, exit=True)  # where processes no longer meet, they would wait for ever
    found: dict[str, Any] = {"collectives": collectives(fabric), "layers": layers()}
    for name in RECIPES:
        found[name] = tensors_of(trained(fabric, name)[0])
        found[f"{name}, resumed"] = tensors_of(trained_in_two_sittings(fabric, name, folder))
    try:
        trained(fabric, "batch norm", broken=3 * BATCH)
    except TrainingFailed as failure:
        found["not finite"] = str(failure)
    torch.save(found, folder / f"{fabric.global_rank}.pt")
    return True


def collectives(fabric: Fabric) -> dict[str, Any]:
    """What the collectives make of what two processes say."""
    together, rank = Collectives(fabric), fabric.global_rank
    return {
        "clock": together.clock_and_interrupt(1 / 3 + rank, wanted=rank == 1),
        "first": together.first_of("mine" if rank == 1 else None),
        "mean": together.mean(torch.tensor([1.0, 2.0]) + rank),
        "minimum": together.minimum(torch.tensor([5, 7 - 3 * rank])),
        "gathered": together.gathered(torch.tensor([0.0, 1.0]) + 10 * rank),
    }


def batch_norm(share: slice, synchronised: bool) -> dict[str, Tensor]:
    """A batch norm on a share of one batch, the gradients of a penalty on its gradient, and its running statistics."""
    x = torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)[share]
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Tanh(), nn.Conv2d(3, 1, 4)).double()
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.linspace(0.5, 1.5, weight.numel()).view_as(weight))
    if synchronised:
        synchronise_batch_norm(network)
        assert isinstance(network[0], BatchNormOverProcesses)
    x.requires_grad_(True)
    out = network(x)
    (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
    (slope.square().sum() + out.square().sum()).backward()
    return {
        "out": out.detach(), "slope": slope.detach(), "x": x.grad, **dict(network.named_buffers()),
        **{name: weight.grad for name, weight in network.named_parameters()},
    }  # fmt: skip


def layers() -> dict[str, Any]:
    rank = torch.distributed.get_rank()
    return batch_norm(slice(rank, None, 2), synchronised=True) | {"all": gathered(torch.tensor([float(rank)]))}


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("learnt")
    assert launch(partial(what_two_learn, folder=folder), CPU, 2, "32-true")
    first, second = (torch.load(folder / f"{rank}.pt") for rank in range(2))
    return first, second


Learnt = tuple[dict[str, Any], dict[str, Any]]


@pytest.mark.parametrize("name", RECIPES)
def test_after_every_run_both_processes_hold_the_same_bits(learnt: Learnt, name: str) -> None:
    first, second = (found[name] for found in learnt)
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_of_two_processes_in_two_sittings_ends_with_the_bits_of_one(learnt: Learnt, name: str) -> None:
    for found in learnt:
        whole, resumed = found[name], found[f"{name}, resumed"]
        assert [key for key in whole if not torch.equal(whole[key], resumed[key])] == []


@pytest.mark.parametrize("name", ["critic", "batch norm"])
def test_two_processes_learn_what_one_learns_up_to_rounding(learnt: Learnt, name: str) -> None:
    """Sums of float32 in another order, over six steps of Adam, which divides small gradients by their own size."""
    alone = tensors_of(trained(Fabric(accelerator="cpu", devices=1), name)[0])
    start = tensors_of(build_players(tiny_recipe(name), CPU))
    for key, value in alone.items():
        torch.testing.assert_close(
            learnt[0][name][key], value, rtol=1e-3, atol=2e-5, msg=lambda m, key=key: f"{key}: {m}"
        )
    assert any(not torch.allclose(alone[key], start[key], atol=5e-4) for key in start)  # far beyond that tolerance


def test_the_players_that_remember_were_augmented_and_paused(learnt: Learnt) -> None:
    found = learnt[0]["remembers"]
    assert float(found["running_stats.strength"]) > 0
    assert 0 < int(found["running_stats.skipped_updates"]) < STEPS


def test_batch_norm_over_processes_is_batch_norm_of_the_whole_batch_and_so_are_its_gradients_gradients(
    learnt: Learnt,
) -> None:
    whole = batch_norm(slice(None), synchronised=False)
    shares = [found["layers"] for found in learnt]
    for key in ("out", "slope", "x"):
        joined = torch.empty_like(whole[key])
        joined[0::2], joined[1::2] = (share[key] for share in shares)
        torch.testing.assert_close(joined, whole[key])
    for key in ("0.weight", "0.bias", "2.weight", "2.bias"):
        torch.testing.assert_close(shares[0][key] + shares[1][key], whole[key])
    for key in ("0.running_mean", "0.running_var", "0.num_batches_tracked"):
        torch.testing.assert_close(shares[0][key], whole[key])
        assert torch.equal(shares[0][key], shares[1][key])


def test_collectives_agree(learnt: Learnt) -> None:
    expected = {
        "clock": (1 / 3, True), "first": "mine", "mean": [1.5, 2.5], "minimum": [5, 4], "gathered": [0.0, 1.0, 10.0, 11.0]
    }  # fmt: skip
    for found in learnt:
        said = {key: v.tolist() if isinstance(v, Tensor) else v for key, v in found["collectives"].items()}
        assert said == expected
        assert found["layers"]["all"].tolist() == [[0.0], [1.0]]


def test_what_is_not_finite_in_one_process_ends_all_at_the_same_step_with_the_same_words(learnt: Learnt) -> None:
    first, second = (found["not finite"] for found in learnt)
    assert first == second
    assert "at step 4: first the loss of the discriminator" in first


# What ends a run


def fails(fabric: Fabric, *, interrupt: Interrupt, rank: int, how: Callable[[], None]) -> bool:
    """The process of this rank fails while the other waits for it."""
    if fabric.global_rank == rank:
        how()
    fabric.barrier()
    return True


def storage_error() -> None:
    raise StorageError("the disk is full (here): make room")


def programming_error() -> None:
    raise ZeroDivisionError("of a step")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_an_error_of_a_process_arrives_as_what_it_was_and_the_other_ends() -> None:
    with pytest.raises(StorageError, match=r"^the disk is full \(here\): make room$"):
        launch(partial(fails, rank=1, how=storage_error), CPU, 2, "32-true")


def test_a_programming_mistake_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError, match="of a step") as mistake:
        launch(partial(fails, rank=0, how=programming_error), CPU, 2, "32-true")
    assert "in programming_error" in str(mistake.value.__cause__)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_killed_process_is_named_and_the_other_ends_soon() -> None:
    begun = time.monotonic()
    with pytest.raises(RunError, match=r"process 2 of 2 ended with signal 9 .*the last checkpoint is intact"):
        launch(partial(fails, rank=1, how=killed), CPU, 2, "32-true")
    assert time.monotonic() - begun < 60  # of which it takes the other less than half a minute; the rest is the start


# Signals


def waits(fabric: Fabric, *, interrupt: Interrupt, folder: Path, heeds: bool) -> bool:
    """Says which process it is, waits for a stop, and takes its time to save."""
    (folder / f"{os.getpid()}.pid").touch()
    while not (heeds and interrupt.wanted):
        time.sleep(0.05)
    time.sleep(0.5)
    (folder / f"{os.getpid()}.saved").touch()
    return False


def strike(folder: Path, *signals: int) -> None:
    """Sends this process the signals, one after another, once both processes are at work."""

    def send() -> None:
        while len(list(folder.glob("*.pid"))) < 2:
            time.sleep(0.05)
        for number in signals:
            os.kill(os.getpid(), number)
            time.sleep(0.5)

    threading.Thread(target=send, daemon=True).start()


def test_sigterm_is_passed_on_and_the_parent_waits_for_the_clean_save(tmp_path: Path) -> None:
    strike(tmp_path, signal.SIGTERM)
    assert launch(partial(waits, folder=tmp_path, heeds=True), CPU, 2, "32-true") is False
    assert len(list(tmp_path.glob("*.saved"))) == 2


def test_a_second_ctrl_c_stops_at_once_and_leaves_no_process_behind(tmp_path: Path) -> None:
    strike(tmp_path, signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        launch(partial(waits, folder=tmp_path, heeds=False), CPU, 2, "32-true")
    for file in tmp_path.glob("*.pid"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.stem), 0)
    assert not list(tmp_path.glob("*.saved"))


# The command


def command(folder: Path, cache: Path, steps: int, *options: str) -> subprocess.Popen[str]:
    """`ganglion train --devices 2` in a group of its own, as a terminal starts it."""
    words = [
        "train", "digits", "--recipe", "dcgan", "--size", "16", "--steps", str(steps), "--run", str(folder), "--device",
        "cpu", "--devices", "2", "--precision", "32", *as_options(TINY), *options,
    ]  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "ganglion.cli.app", *words], start_new_session=True, stderr=subprocess.PIPE,
        encoding="utf-8", env={**os.environ, "GANGLION_CACHE": str(cache)},
    )  # fmt: skip


def files(folder: Path) -> dict[str, bytes]:
    newest = ganglion.Run(folder).checkpoint("latest")
    return {path.name: path.read_bytes() for path in newest.glob("*.safetensors")}


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="Windows has no groups of processes")
def test_ctrl_c_at_a_terminal_saves_and_the_same_command_goes_on_exactly(tmp_path: Path, cache: Path) -> None:
    running = command(tmp_path / "run", cache, 10**6, "--no-report")
    assert running.stderr
    while not (tmp_path / "run" / "checkpoints" / "latest").exists():
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)  # every process of the group gets it, as from a terminal
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130, said
    assert "interrupted and saved" in said
    assert "Traceback" not in said
    last = ganglion.Run(tmp_path / "run").steps_saved()[-1]
    for folder in ("run", "whole"):
        going_on = command(tmp_path / folder, cache, last + 4, "--no-report")
        assert (going_on.communicate(timeout=60)[1], going_on.returncode)[1] == 0
    assert files(tmp_path / "run") == files(tmp_path / "whole")


def test_a_failed_training_has_its_exit_code_its_message_and_its_report(tmp_path: Path, cache: Path) -> None:
    rates = as_options({"optimizer.discriminator.lr": 1e38, "optimizer.generator.lr": 1e38})
    failing = command(tmp_path / "run", cache, 20, *rates)
    said = failing.communicate(timeout=90)[1]
    assert failing.returncode == 3, said
    assert "numbers stopped being finite at step" in said
    assert "Verdict" in said
    assert "Traceback" not in said
    assert (tmp_path / "run" / "report.html").exists()


def test_the_records_of_two_processes_are_of_the_whole_batch(tmp_path: Path, cache: Path) -> None:
    options: dict[str, Any] = {
        "recipe": "dcgan", "size": 16, "steps": 4, "precision": "32", "device": "cpu", "quiet": True, "cache": cache,
        "set": {**TINY, **CRITIC, "training.tick_kimg": 0.032},
    }  # fmt: skip
    one, two = (
        train("digits", run=tmp_path / str(devices), devices=devices, **options).records()[-1] for devices in (1, 2)
    )
    assert one.keys() == two.keys()
    for key in ("loss_d", "loss_g", "loss_d_r1", "logit_real", "logit_fake", "logit_real_std", "grad_d", "grad_g"):
        assert two[key] == pytest.approx(one[key], rel=1e-3, abs=1e-5), key
    assert sum(two["logits"]["real"]) == sum(one["logits"]["real"]) == 2 * 2 * BATCH  # two steps of two batches


# What stays of each process


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"discriminator.minibatch": "stddev"}, ["discriminator.minibatch stddev"]),
        ({"objective.adversarial": "relativistic-average"}, ["mean logits"]),
        ({"objective.feature_matching.weight": 1}, ["mean features"]),
        ({"objective.penalties": [{"kind": "dragan"}], "discriminator.norm": "none"}, ["spread of the reals"]),
        ({"balance.pause_above_auc": 0.9}, ["separation that pauses"]),
    ],
)
def test_what_each_process_computes_of_its_own_share_is_named(changes: dict[str, object], words: list[str]) -> None:
    found = of_each_share(resolve("dcgan", changes))
    assert len(found) == len(words)
    assert all(word in name for word, name in zip(words, found, strict=True))
