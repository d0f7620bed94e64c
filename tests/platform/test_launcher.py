"""How a process finds out that torchrun or srun started it, and what `--nodes` says without either."""

from __future__ import annotations

import shlex

import pytest

from ganglion.errors import RunError
from ganglion.platform.launcher import Launched, check_launch, launched_by

TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "a",
    "MASTER_PORT": "1",
}
SRUN = {
    "SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_LOCALID": "1", "SLURM_NTASKS_PER_NODE": "4",
    "SLURM_NTASKS": "8", "SLURM_JOB_NODELIST": "node[3-4]",
}  # fmt: skip
COMMAND = ["/usr/bin/ganglion", "train", "my photos/", "--nodes", "2", "--devices", "4"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (TORCHRUN, Launched("torchrun", 5, 8, 1, 4)),
        (SRUN, Launched("srun", 5, 8, 1, 4)),
        (SRUN | TORCHRUN | {"RANK": "6", "LOCAL_RANK": "2"}, Launched("torchrun", 6, 8, 2, 4)),  # torchrun inside srun
        (
            {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "a"},
            Launched("torchrun", 1, 2, 0, 1),
        ),  # one process a machine
    ],
)
def test_a_launcher_is_known_by_its_variables(environment: dict[str, str], expected: Launched) -> None:
    assert launched_by(environment) == expected


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"RANK": "0"},
        {**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"},
        {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"},  # a batch script, without srun
    ],
)
def test_a_process_by_itself_was_not_launched(environment: dict[str, str]) -> None:
    assert launched_by(environment) is None


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({**TORCHRUN, "RANK": "first"}, "expected whole numbers from torchrun; got RANK=first"),
        ({**TORCHRUN, "RANK": "8"}, "equally many processes on each machine; got RANK=8, WORLD_SIZE=8"),
        ({**TORCHRUN, "WORLD_SIZE": "6"}, "equally many processes on each machine"),
        (
            {k: v for k, v in SRUN.items() if k != "SLURM_NTASKS_PER_NODE"},
            "start the tasks with srun --ntasks-per-node",
        ),
    ],
)
def test_variables_that_do_not_fit_together_are_told(environment: dict[str, str], words: str) -> None:
    with pytest.raises(RunError, match=words):
        launched_by(environment)


def test_nodes_without_a_launcher_names_the_commands_to_use() -> None:
    with pytest.raises(RunError) as told:
        check_launch(4, 2, None, COMMAND)
    commands = [shlex.split(text) for text in str(told.value).split("`")[1::2]]
    assert commands == [
        ["torchrun", "--nnodes", "2", "--nproc-per-node", "4", "--rdzv-backend", "c10d", "--rdzv-endpoint", "HOST:29500",
         "--no-python", "--", "ganglion", *COMMAND[1:]],
        ["srun", "--nodes=2", "--ntasks-per-node=4", "ganglion", *COMMAND[1:]],
    ]  # fmt: skip


def test_devices_and_nodes_are_those_that_were_launched_or_left_out() -> None:
    launched = Launched("torchrun", 5, 8, 1, 4)
    assert launched.nodes == 2
    check_launch(4, 2, launched, COMMAND)
    check_launch(1, 1, launched, COMMAND)
    check_launch(8, 1, None, COMMAND)
    with pytest.raises(RunError, match=r"--devices 2 --nodes 4 is not what torchrun started, 4 processes on each of 2"):
        check_launch(2, 4, launched, COMMAND)
    with pytest.raises(RunError, match=r"--nodes is the number of machines, 1 or more; got 0"):
        check_launch(1, 0, launched, COMMAND)
