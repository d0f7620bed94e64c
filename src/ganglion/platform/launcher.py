"""What torchrun or Slurm's srun says to a process that it started; without torch, so that it is known at once."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganglion.errors import RunError

__all__ = ["Launched", "check_launch", "launched_by"]

TORCHRUN, SRUN = "torchrun", "srun"


@dataclass(frozen=True)
class Launched:
    """A process among those that a launcher started; there are at least two."""

    by: str
    """torchrun (or what sets the same variables), or srun."""
    rank: int
    count: int
    """Of all processes, on all machines."""
    local_rank: int
    local_count: int
    """Of those on this machine."""

    @property
    def nodes(self) -> int:
        """Machines."""
        return self.count // self.local_count


def launched_by(environment: Mapping[str, str] = os.environ) -> Launched | None:
    """None for a process that was started by itself. Raises RunError where a launcher's variables do not fit together.

    torchrun: RANK, WORLD_SIZE and MASTER_ADDR, with LOCAL_RANK and LOCAL_WORLD_SIZE, one process a machine without these.
    srun: SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_LOCALID, SLURM_NTASKS_PER_NODE; a batch script has no step.
    """
    if {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= environment.keys():
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        defaults = {
            "LOCAL_RANK": "0",
            "LOCAL_WORLD_SIZE": environment["WORLD_SIZE"] if "LOCAL_RANK" in environment else "1",
        }
        return _launched(TORCHRUN, names, defaults | dict(environment))
    if {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"} <= environment.keys():
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE")
        return _launched(SRUN, names, environment)
    return None


def _launched(by: str, names: Sequence[str], environment: Mapping[str, str]) -> Launched | None:
    """From the variables of rank, count, local rank and local count."""
    if environment[names[1]] == "1":
        return None
    try:
        rank, count, local_rank, local_count = (int(environment[name]) for name in names)
    except KeyError as missing:
        hint = ": start the tasks with srun --ntasks-per-node" if by == SRUN else ""
        raise RunError(f"{by} has not set {missing.args[0]}{hint}") from None
    except ValueError:
        told = ", ".join(f"{name}={environment[name]}" for name in names)
        raise RunError(f"expected whole numbers from {by}; got {told}") from None
    if not (0 <= rank < count and 0 <= local_rank < local_count and count % local_count == 0):
        told = ", ".join(f"{name}={environment[name]}" for name in names)
        raise RunError(f"{by} has to start equally many processes on each machine; got {told}")
    return Launched(by, rank, count, local_rank, local_count)


def check_launch(devices: int, nodes: int, launched: Launched | None, command: Sequence[str]) -> None:
    """Raises RunError where `devices` on each of `nodes` machines are not what was launched; 1 and 1 ask for nothing.

    `command` is the one that was started, for the message.
    """
    if nodes < 1:
        raise RunError(f"--nodes is the number of machines, 1 or more; got {nodes}")
    if launched is None:
        if nodes > 1:
            raise RunError(
                f"--nodes {nodes} needs a launcher that starts the processes: run `{_by_torchrun(devices, nodes, command)}` on "
                f"each machine, with the name of the first one for HOST, or `{_by_srun(devices, nodes, command)}` under Slurm"
            )
        return
    asked, there = (devices, nodes), (launched.local_count, launched.nodes)
    if asked != (1, 1) and asked != there:
        raise RunError(
            f"--devices {devices} --nodes {nodes} is not what {launched.by} started, {there[0]} processes on each of "
            f"{there[1]} machines: change either, or leave both options out"
        )


def _by_torchrun(devices: int, nodes: int, command: Sequence[str]) -> str:
    rendezvous = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "HOST:29500", "--no-python", "--"]
    return shlex.join(
        ["torchrun", "--nnodes", str(nodes), "--nproc-per-node", str(devices), *rendezvous, *_named(command)]
    )


def _by_srun(devices: int, nodes: int, command: Sequence[str]) -> str:
    return shlex.join(["srun", f"--nodes={nodes}", f"--ntasks-per-node={devices}", *_named(command)])


def _named(command: Sequence[str]) -> list[str]:
    return ["ganglion", *command[1:]]
