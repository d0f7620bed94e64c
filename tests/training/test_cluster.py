"""Runs that torchrun or srun starts: real processes of torchrun on this machine, and Slurm's variables set by hand."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import ganglion
from ganglion.errors import DataError, GanglionError, Interrupted, TrainingFailed
from ganglion.platform.launcher import Launched
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import Request
from ganglion.runs.checkpoints import read_checkpoint
from ganglion.training.cluster import Assignment, Peers, _store_here, lost_connection, threads
from ganglion.training.own import Own
from ganglion.training.prepare import prepare_run
from ganglion.training.train import Job, _work
from tiny import TINY, as_options

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks up processes in /proc")

GANGLION = ["-m", "ganglion.cli.app"]


def words(folder: Path, steps: int, source: str = "digits") -> list[str]:
    return [
        "train", source, "--recipe", "dcgan", "--size", "16", "--steps", str(steps), "--run", str(folder), "--device",
        "cpu", "--precision", "32", "--no-report", *as_options(TINY),
    ]  # fmt: skip


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def started(command: list[str], cache: Path, **variables: str) -> subprocess.Popen[str]:
    """In a group of its own, as a terminal starts it; what it says is on one stream."""
    return subprocess.Popen(
        [sys.executable, *command], start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", env={**os.environ, "GANGLION_CACHE": str(cache), "OMP_NUM_THREADS": "1", **variables},
    )  # fmt: skip


def torchrun(command: list[str], cache: Path, *options: str) -> subprocess.Popen[str]:
    return started(["-m", "torch.distributed.run", *options, "-m", "--", "ganglion.cli.app", *command], cache)


def test_two_nodes_are_one_run(tmp_path: Path, cache: Path) -> None:
    folder, port = tmp_path / "run", str(free_port())
    agents = [
        torchrun(
            words(folder, 20), cache, "--nnodes", "2", "--node-rank", str(node), "--nproc-per-node", "1", "--master-addr",
            "127.0.0.1", "--master-port", port,
        )
        for node in range(2)
    ]  # fmt: skip
    said = [agent.communicate(timeout=100)[0] for agent in agents]
    assert [agent.returncode for agent in agents] == [0, 0], said
    assert "Device cpu x2" in said[0]
    assert said[0].count("Finished: ") == 1
    assert "Finished" not in said[1]
    run = ganglion.Run(folder)
    assert [record["step"] for record in run.records()] == [0, 5, 10, 15, 20]
    assert ganglion.load(run).sample(2).shape == (2, 16, 16, 1)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Path, str, set[int]]:
    """A run under torchrun that got Ctrl-C: its folder, what was said, and the processes that trained."""
    folder = tmp_path_factory.mktemp("torchrun") / "run"
    agent = torchrun(words(folder, 10**6), cache, "--nproc-per-node", "2", "--master-port", str(free_port()))
    wait_for(folder / "checkpoints" / "latest", agent)
    trainers = children_of(agent.pid)
    for process in (agent.pid, *trainers):  # a terminal sends it to every process, and torchrun passes it on
        os.kill(process, signal.SIGINT)
    return folder, agent.communicate(timeout=60)[0], trainers


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 100
    while not file.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.05)


def children_of(process: int) -> set[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8")
    return {int(word) for word in text.split()}


def are_gone(processes: set[int]) -> bool:
    return not any(Path(f"/proc/{process}").exists() for process in processes)


def test_ctrl_c_under_torchrun_saves_once_and_ends_every_process(stopped: tuple[Path, str, set[int]]) -> None:
    folder, said, trainers = stopped
    run = ganglion.Run(folder)
    assert len(trainers) == 2
    assert are_gone(trainers)
    assert said.count("interrupted and saved") == 1, said
    assert "stopped at once" not in said
    assert run.steps_saved()[-1] == run.records()[-1]["step"]


def test_a_killed_process_under_torchrun_ends_the_others_with_one_message(
    stopped: tuple[Path, str, set[int]], cache: Path
) -> None:
    folder, before = stopped[0], ganglion.Run(stopped[0]).steps_saved()[-1]
    agent = torchrun(words(folder, 10**6), cache, "--nproc-per-node", "2", "--master-port", str(free_port()))
    wait_for(folder / "checkpoints" / f"{before // 10 * 10 + 20:08d}", agent)
    trainers = sorted(children_of(agent.pid))
    os.kill(trainers[1], signal.SIGKILL)
    killed = time.monotonic()
    said = agent.communicate(timeout=60)[0]
    assert time.monotonic() - killed < 30
    assert are_gone(set(trainers))
    assert f"Resuming at step {before}" in said
    assert said.count("lost the connection to another one") == 1, said
    run = ganglion.Run(folder)
    _, progress = read_checkpoint(run.checkpoint("latest"))
    assert progress.step == run.steps_saved()[-1] > before
    assert not list(run.checkpoints.glob(".writing-*"))


def under_slurm(command: list[str], cache: Path) -> list[subprocess.Popen[str]]:
    """Two tasks on one node, with the variables that srun sets."""
    port = str(free_port())
    return [
        started(
            [*GANGLION, *command], cache, SLURM_PROCID=str(task), SLURM_LOCALID=str(task), SLURM_STEP_NUM_TASKS="2",
            SLURM_NTASKS="2", SLURM_NTASKS_PER_NODE="2", SLURM_NNODES="1", SLURM_NODEID="0", SLURM_NODELIST="127.0.0.1",
            SLURM_JOB_ID="1234", SLURM_JOB_NAME="gan", MASTER_PORT=port,
        )
        for task in range(2)
    ]  # fmt: skip


def test_tasks_of_slurm_are_one_run(tmp_path: Path, cache: Path) -> None:
    tasks = under_slurm(words(tmp_path / "run", 10), cache)
    said = [task.communicate(timeout=100)[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], said
    assert "Device cpu x2" in said[0]
    assert said[1] == ""
    assert ganglion.Run(tmp_path / "run").steps_saved() == [10]


def test_an_error_of_all_is_said_once_and_is_the_exit_code_of_each(tmp_path: Path, cache: Path) -> None:
    tasks = under_slurm(words(tmp_path / "run", 10, source=str(tmp_path / "nowhere")), cache)
    said = [task.communicate(timeout=100)[0] for task in tasks]
    assert [task.returncode for task in tasks] == [1, 1]
    assert said[0].startswith("error: there is no file or folder")
    assert said[0].count("\n") == 1
    assert said[1] == ""
    assert not (tmp_path / "run").exists()


def test_images_that_are_not_where_the_first_process_packed_them_are_packed_and_are_the_same(
    tmp_path: Path, cache: Path
) -> None:
    request: Request = {"recipe": "dcgan", "size": 16, "steps": 5}
    prepared = prepare_run("digits", request, Screen(quiet=True), "cpu", 1, cache)
    job = Job(prepared.recipe, prepared.store, tmp_path, True, Own())
    elsewhere = Assignment(_work, job, tmp_path / "not here", torch.device("cpu"), "32-true")
    packed = _store_here(elsewhere, None, tmp_path / "cache")
    assert packed.path.is_relative_to(tmp_path)
    assert np.array_equal(packed.images, prepared.store.images)
    assert _store_here(elsewhere._replace(packed=prepared.store.path), None, tmp_path).path == prepared.store.path
    with pytest.raises(DataError, match="are not those of the first process's machine"):
        _store_here(elsewhere, np.zeros((40, 16, 16, 1), np.uint8), tmp_path / "cache")


def test_threads_are_the_launchers_share_of_cores_or_an_equal_one() -> None:
    launched = Launched("srun", 0, 8, 0, 4)
    assert threads(launched, available=64, machine=64) == 16
    assert threads(launched, available=8, machine=64) == 8  # Slurm has bound each task to cores of its own
    assert threads(launched, available=2, machine=2) == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer"), True),
        (torch.distributed.DistBackendError("NCCL communicator was aborted"), True),
        (RuntimeError("CUDA out of memory"), False),
    ],
)
def test_a_lost_connection_is_told_from_other_errors(error: RuntimeError, expected: bool) -> None:
    assert lost_connection(error) is expected


@pytest.mark.parametrize(
    ("error", "alone", "rank", "told", "spoken"),
    [
        (TrainingFailed("memory ran out"), True, 1, False, 1),
        (TrainingFailed("not finite"), False, 1, True, 0),  # all end with it, and the first one says it
        (TrainingFailed("not finite"), False, 0, False, 1),
        (Interrupted("saved"), False, 1, True, 0),
        (DataError("other images"), False, 1, False, 1),
    ],
)
def test_an_error_is_said_once_by_the_process_that_knows_it(
    error: GanglionError, alone: bool, rank: int, told: bool, spoken: int
) -> None:
    error.alone = alone
    store = torch.distributed.HashStore()
    Peers(Launched("torchrun", rank, 2, rank, 2), None, store).about_to_fail(error)  # type: ignore[arg-type]
    assert error.told == told
    assert store.add("ganglion/spoken", 0) == spoken
