"""One start of two processes, for every file of tests here that asks what they find."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

import ganglion
from ganglion.errors import TrainingFailed
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import Request
from ganglion.training.own import Own
from ganglion.training.prepare import prepare_run
from ganglion.training.processes import launch
from ganglion.training.train import Job, train
from sick_runs import d_wins, tiny_treated
from tiny import TINY
from two_processes import CPU, CRITIC, Learnt, half, what_two_find


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    """A critic on the digits, in one process."""
    return train(
        "digits", run=tmp_path_factory.mktemp("alone"), recipe="dcgan", size=16, steps=4, precision="32", device="cpu",
        quiet=True, cache=cache, set={**TINY, **CRITIC, "training.tick_kimg": 0.032},
    )  # fmt: skip


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same run in two processes; made by `learnt`."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def learnt_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `learnt` leaves its checkpoints."""
    return tmp_path_factory.mktemp("learnt")


@pytest.fixture(scope="session")
def learnt(
    tmp_path_factory: pytest.TempPathFactory, cache: Path, alone: ganglion.Run, shared: Path, learnt_in: Path
) -> Learnt:
    """What each of two processes found."""
    request: Request = {"recipe": alone.recipe}
    store = prepare_run("digits", request, Screen(quiet=True), "cpu", cache=cache).store
    for folder in (shared, learnt_in):
        ganglion.Run(folder).begin(alone.recipe, {})
    job = Job(alone.recipe, store, shared, True, Own())
    start = half(Fabric(accelerator="cpu", devices=1), "remembers", tmp_path_factory.mktemp("one"))
    work = partial(what_two_find, folder=learnt_in, alone=start, job=job)
    with pytest.raises(TrainingFailed) as failure:
        launch(work, CPU, 2, "32-true")
    first, second = (torch.load(learnt_in / f"{rank}.pt") | {"failure": failure.value} for rank in range(2))
    return first, second


@pytest.fixture(scope="session")
def treated_run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    """Failed at once, and trained on with the first remedy. Look, do not touch."""
    return tiny_treated(tmp_path_factory.mktemp("treated") / "run", cache)


@pytest.fixture(scope="session")
def d_won(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    """D won after some hundred steps; what the remedy made of it was no better. Look, do not touch."""
    return d_wins(tmp_path_factory.mktemp("won") / "run", cache)
