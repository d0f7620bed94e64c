"""A run in two processes on this machine, over gloo: what it raises, how it stops, and what it learns beside a single one.

Processes take seconds to start, so one start serves several tests: what they found is left in files.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
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
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import Request, resolve, update
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress, restore, save_checkpoint
from ganglion.training.collectives import Collectives, of_each_share
from ganglion.training.loop import train_loop
from ganglion.training.own import Own
from ganglion.training.players import Players, build_players
from ganglion.training.prepare import prepare_run
from ganglion.training.processes import Outcome, _judged, _outcome, _pickled, launch
from ganglion.training.train import Job, _work, train
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
    "micro-batches": ("dcgan", CRITIC | {"training.micro_batch": 2}),
    "wgan-gp": ("wgan-gp", {"balance.d_steps": 2, "optimizer.schedule": "constant"}),
    "remembers": (
        "dcgan",
        {
            "objective.penalties": [{"kind": "lecam", "weight": 0.1}, {"kind": "r1", "interval_updates": 2}],
            "discriminator.norm": "none",
            "augment.kind": "ada", "augment.target": -0.9, "augment.speed_kimg": 0.05, "balance.pause_above_auc": 0.6,
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


def what_two_learn(fabric: Fabric, *, interrupt: Interrupt, folder: Path, job: Job) -> bool:
    """Every recipe in one sitting and in two; images that are NaN in the second process only; `job`; and a job that fails."""
    faulthandler.dump_traceback_later(120, exit=True)  # where processes no longer meet, they would wait for ever
    found: dict[str, Any] = {"collectives": collectives(fabric), "layers": layers()}
    for name in RECIPES:
        found[name] = tensors_of(trained(fabric, name)[0])
        found[f"{name}, resumed"] = tensors_of(trained_in_two_sittings(fabric, name, folder))
    try:
        trained(fabric, "critic", broken=3 * BATCH)  # the second batch of step 2
    except TrainingFailed as failure:
        found["not finite"] = str(failure)
    torch.save(found, folder / f"{fabric.global_rank}.pt")
    assert _work(fabric, interrupt=interrupt, job=job)
    rates = {"optimizer__discriminator__lr": 1e38, "optimizer__generator__lr": 1e38}
    return _work(fabric, interrupt=interrupt, job=Job(update(job.recipe, **rates), job.store, folder, True, Own()))


def collectives(fabric: Fabric) -> dict[str, Any]:
    """What the collectives make of what two processes say."""
    together, rank = Collectives(fabric), fabric.global_rank
    return {
        "clock": together.clock_and_interrupt(1 / 3 + rank, wanted=rank == 1),
        "first": together.first_of("mine" if rank == 1 else None),
        "mean": together.mean(torch.tensor([1.0, 2.0]) + rank),
        "minimum": together.minimum(torch.tensor([5, 7 - 3 * rank])),
        "gathered": together.gathered(torch.tensor([0.0, 1.0]) + 10 * rank),
        "buffers": remembered(together),
    }


def remembered(together: Collectives) -> Tensor:
    """The running means of a norm that is no batch norm, after each process showed it other images."""
    network = nn.Sequential(nn.InstanceNorm2d(2, momentum=1.0, track_running_stats=True))
    together.synchronise(network)
    network(torch.arange(2.0)[:, None, None].expand(1, 2, 3, 3) + 4 * together.rank)
    together.average_buffers()
    means: Tensor = network.get_buffer("0.running_mean")
    return means


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


Learnt = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    """A critic on the digits, in one process."""
    return train(
        "digits", run=tmp_path_factory.mktemp("alone"), recipe="dcgan", size=16, steps=4, precision="32", device="cpu",
        quiet=True, cache=cache, set={**TINY, **CRITIC, "training.tick_kimg": 0.032},
    )  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same run in two processes; made by `learnt`."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory, cache: Path, alone: ganglion.Run, shared: Path) -> Learnt:
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("learnt")
    request: Request = {"recipe": alone.recipe}
    store = prepare_run("digits", request, Screen(quiet=True), "cpu", cache=cache).store
    job = Job(alone.recipe, store, shared, True, Own())
    with pytest.raises(TrainingFailed) as failure:
        launch(partial(what_two_learn, folder=folder, job=job), CPU, 2, "32-true")
    first, second = (torch.load(folder / f"{rank}.pt") | {"failure": failure.value} for rank in range(2))
    return first, second


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


@pytest.mark.parametrize("name", ["critic", "batch norm", "micro-batches"])
def test_two_processes_learn_what_one_learns_up_to_rounding(learnt: Learnt, name: str) -> None:
    """Sums of float32 in another order, over six steps of Adam, which divides small gradients by their own size."""
    alone = tensors_of(trained(Fabric(accelerator="cpu", devices=1), name)[0])
    start = tensors_of(build_players(tiny_recipe(name), CPU))
    alone.pop("running_stats.means")  # one of them is the AUC, which each process computes of its own share
    for key, value in alone.items():
        torch.testing.assert_close(
            learnt[0][name][key], value, rtol=1e-3, atol=2e-5, msg=lambda m, key=key: f"{key}: {m}"
        )
    assert any(not torch.allclose(alone[key], start[key], atol=5e-4) for key in alone)  # far beyond that tolerance


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
        "clock": (1 / 3, True), "first": "mine", "mean": [1.5, 2.5], "minimum": [5, 4], "gathered": [0.0, 1.0, 10.0, 11.0],
        "buffers": [2.0, 3.0],
    }  # fmt: skip
    for found in learnt:
        said = {key: v.tolist() if isinstance(v, Tensor) else v for key, v in found["collectives"].items()}
        assert said == expected
        assert found["layers"]["all"].tolist() == [[0.0], [1.0]]


def test_what_is_not_finite_in_one_process_ends_all_at_the_same_step_with_the_same_words(learnt: Learnt) -> None:
    first, second = (found["not finite"] for found in learnt)
    assert first == second
    assert "at step 2: first the loss of the discriminator;" in first


# What ends a run


def killed(fabric: Fabric, *, interrupt: Interrupt) -> bool:
    """The second process dies while the first one waits for it."""
    if fabric.global_rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    fabric.barrier()
    return True


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_killed_process_is_named_and_the_other_ends_soon() -> None:
    begun = time.monotonic()
    with pytest.raises(RunError, match=r"process 2 of 2 ended with signal 9 .*the last checkpoint is intact"):
        launch(killed, CPU, 2, "32-true")
    assert time.monotonic() - begun < 60  # the other one has 15 s to end by itself; the rest is the start


class Ended:
    """A process that has ended, and what it said before; None: nothing."""

    def __init__(self, outcome: Outcome | None, exitcode: int = 0, killed: bool = False) -> None:
        self.outcome, self.killed, self.process = outcome, killed, SimpleNamespace(exitcode=exitcode)

    def has_failed(self) -> bool:
        return self.outcome is None or self.outcome.error is not None


LOST = Outcome(error=RuntimeError("Connection closed by peer"), text="Traceback: lost", seconds=2.0)
MISTAKE = Outcome(error=ZeroDivisionError("of a step"), text="Traceback: divided", seconds=1.0)
FULL = Outcome(error=StorageError("the disk is full"), text="Traceback: full", seconds=3.0)
DONE = Outcome(result=True)


def test_without_a_failure_the_first_process_says_whether_the_run_is_at_its_end() -> None:
    assert _judged([Ended(DONE), Ended(Outcome(False))]) is True
    assert _judged([Ended(Outcome(False)), Ended(DONE)]) is False


@pytest.mark.parametrize("workers", [[LOST, FULL], [FULL, LOST], [DONE, FULL], [MISTAKE, FULL]])
def test_an_error_of_ours_arrives_as_what_it_was(workers: list[Outcome]) -> None:
    with pytest.raises(StorageError, match="^the disk is full$"):
        _judged([Ended(outcome) for outcome in workers])


def test_of_two_mistakes_the_earlier_is_the_cause_and_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError, match="of a step") as mistake:
        _judged([Ended(LOST), Ended(MISTAKE)])
    assert "Traceback: divided" in str(mistake.value.__cause__)


def test_a_process_that_ended_without_a_word_is_the_cause_unless_the_parent_killed_it() -> None:
    with pytest.raises(RunError, match=r"process 1 of 2 ended with exit code 1 .* if __name__ == \"__main__\""):
        _judged([Ended(None, exitcode=1), Ended(LOST)])
    with pytest.raises(ZeroDivisionError):
        _judged([Ended(None, exitcode=-9, killed=True), Ended(MISTAKE)])


class UnsendableError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def test_an_error_that_cannot_be_sent_arrives_as_its_name_and_traceback() -> None:
    def run() -> bool:
        raise UnsendableError(1, 2)

    sent = pickle.loads(_pickled(_outcome(run)))
    assert str(sent.error) == "UnsendableError: 1 and 2"
    assert "in run" in sent.text


# Signals


def does_not_end(fabric: Fabric, *, interrupt: Interrupt, folder: Path) -> bool:
    """Says which process it is, waits until it is told to stop, and then hangs."""
    (folder / f"{os.getpid()}.pid").touch()
    while not interrupt.wanted:
        time.sleep(0.02)
    (folder / f"{os.getpid()}.told").touch()
    time.sleep(300)
    return False


def test_sigterm_is_passed_on_and_a_ctrl_c_after_it_stops_all_at_once(tmp_path: Path) -> None:
    def strike() -> None:
        for files, number in (("*.pid", signal.SIGTERM), ("*.told", signal.SIGINT)):
            while len(list(tmp_path.glob(files))) < 2:
                time.sleep(0.02)
            os.kill(os.getpid(), number)

    threading.Thread(target=strike, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        launch(partial(does_not_end, folder=tmp_path), CPU, 2, "32-true")
    for file in tmp_path.glob("*.pid"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.stem), 0)


# The command


def command(folder: Path, cache: Path, steps: int) -> subprocess.Popen[str]:
    """`ganglion train --devices 2` in a group of its own, as a terminal starts it."""
    words = [
        "train", "digits", "--recipe", "dcgan", "--size", "16", "--steps", str(steps), "--run", str(folder), "--device",
        "cpu", "--devices", "2", "--precision", "32", "--no-report", *as_options(TINY),
    ]  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "ganglion.cli.app", *words], start_new_session=True, stderr=subprocess.PIPE,
        encoding="utf-8", env={**os.environ, "GANGLION_CACHE": str(cache)},
    )  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="Windows has no groups of processes")
def test_ctrl_c_at_a_terminal_waits_for_a_clean_save(tmp_path: Path, cache: Path) -> None:
    running, run = command(tmp_path / "run", cache, 10**6), ganglion.Run(tmp_path / "run")
    assert running.stderr
    while not (run.checkpoints / "latest").exists():
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)  # every process of the group gets it, as from a terminal
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130, said
    assert "interrupted and saved" in said
    assert "Traceback" not in said
    assert run.steps_saved()[-1] == run.records()[-1]["step"]


def test_a_failed_training_arrives_with_its_exit_code_its_message_and_the_verdict(learnt: Learnt) -> None:
    failure = learnt[0]["failure"]
    assert isinstance(failure, TrainingFailed)
    assert failure.exit_code == 3
    assert re.search(r"numbers stopped being finite at step .*\nVerdict", str(failure))


def test_the_records_of_two_processes_are_of_the_whole_batch(alone: ganglion.Run, learnt: Learnt, shared: Path) -> None:
    one, two = (run.records()[-1] for run in (alone, ganglion.Run(shared)))
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
