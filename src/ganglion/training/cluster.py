"""Joins the processes that torchrun or srun started, and gives each its part of a run.

The first process does what concerns the run as a whole: it resolves the recipe, packs the images, holds the run's lock and
writes its folder. The others are sent the job, pack the images only where they do not find them, and train.
"""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
import torch.distributed
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.distributed.rendezvous import rendezvous

from ganglion.data.given import Images
from ganglion.data.prepare import prepare
from ganglion.data.store import Store, is_store, open_store
from ganglion.errors import DataError, GanglionError, Interrupted, RunError, TrainingFailed
from ganglion.platform.cores import cores
from ganglion.platform.interrupt import SIGNALS, Interrupt
from ganglion.platform.launcher import SRUN, Launched
from ganglion.platform.screen import Screen
from ganglion.training.processes import BACKENDS, NEVER, Work

if TYPE_CHECKING:
    from ganglion.training.train import Job

__all__ = ["Peers", "cluster_environment", "joined"]

CPU = torch.device("cpu")
JOIN_MINUTES = 10.0  # for all processes to arrive
SPEAK_SEC = 3.0  # in which a process that failed says why, before the others say that they lost it
SPOKEN, LOST = "ganglion/spoken", "ganglion/lost"


class JobWork(Protocol):
    """What each process does with its job; whether it came to its end."""

    def __call__(self, fabric: Fabric, *, interrupt: Interrupt, job: Job) -> bool: ...


class Assignment(NamedTuple):
    """What the first process sends to the others."""

    work: JobWork
    job: Job
    """Without its images."""
    packed: Path
    """The store of the images, where the first process sees it."""
    device: torch.device
    precision: Any


@dataclass(frozen=True)
class Peers:
    """The processes of a run, as one of them sees the others."""

    launched: Launched
    environment: ClusterEnvironment
    store: Any
    """A torch.distributed.Store: keys and values that all of them share."""
    _sent: list[bool] = field(default_factory=list)

    @property
    def first(self) -> bool:
        return self.launched.rank == 0

    def lead(self, work: JobWork, job: Job, device: torch.device, precision: Any) -> bool:
        """Runs the job, in the first process, and the others with it; whether it came to its end."""
        self._send(Assignment(work, replace(job, store=None), job.store.path, device, precision))  # type: ignore[arg-type]
        self._in_turn(lambda: None)
        return self._run(partial(work, job=job), device, precision)

    def take_part(self, source: Images | None, cache: Path) -> Path:
        """Does as the first process says, in any other; returns the run folder.

        Raises Interrupted where the run was, and the GanglionError that kept the first one from starting it.
        """
        given = self._receive()
        found: list[Store] = []
        self._in_turn(lambda: found.append(_store_here(given, source, cache)))
        job = replace(given.job, store=found[0])
        if not self._run(partial(given.work, job=job), given.device, given.precision):
            raise Interrupted("interrupted and saved")
        return job.folder

    @contextmanager
    def told_of_failure(self) -> Iterator[None]:
        """In the first process: where it fails before it has sent the job, the others end too."""
        try:
            yield
        except BaseException as error:
            if not self._sent:
                self._send(error if isinstance(error, GanglionError) else Interrupted("the first process ended"))
            raise

    def _send(self, what: Assignment | GanglionError) -> None:
        self._sent.append(True)
        torch.distributed.broadcast_object_list([what], device=CPU)

    def _receive(self) -> Assignment:
        found: list[Any] = [None]
        torch.distributed.broadcast_object_list(found, device=CPU)
        if isinstance(found[0], GanglionError):
            found[0].told = True
            raise found[0]
        assert isinstance(found[0], Assignment)
        return found[0]

    def _in_turn(self, prepare: Callable[[], None]) -> None:
        """One process of each machine prepares before the others of that machine do."""
        error: GanglionError | None = None
        for local in (True, False):
            if local == (self.launched.local_rank == 0) and not self.first:
                try:
                    prepare()
                except GanglionError as found:
                    error = found
            torch.distributed.all_reduce(torch.zeros(()))  # all wait here for each other; on the CPU
        if error:
            raise type(error)(f"process {self.launched.rank + 1} of {self.launched.count}: {error}")

    def _run(self, work: Work, device: torch.device, precision: Any) -> bool:
        """What `launch` does, in processes that are there already. Ctrl-C reaches them all; none of them is stopped at once."""
        if device.type == "cuda" and self.launched.local_rank >= torch.cuda.device_count():
            raise RunError(
                f"process {self.launched.local_rank + 1} of this machine sees {torch.cuda.device_count()} CUDA devices: let "
                "each process see all of them (Slurm: --gpus-per-node in place of --gpus-per-task), or start fewer processes"
            )
        if "OMP_NUM_THREADS" not in os.environ:
            os.environ["OMP_NUM_THREADS"] = str(threads(self.launched))  # otherwise Fabric sets one for all cores
            torch.set_num_threads(threads(self.launched))
        with Interrupt(SIGNALS, keys=()) as interrupt:
            strategy = DDPStrategy(cluster_environment=self.environment)
            fabric = Fabric(
                accelerator=device.type, devices=self.launched.local_count, num_nodes=self.launched.nodes,
                strategy=strategy, precision=precision,
            )  # fmt: skip
            try:
                return bool(fabric.launch(partial(work, interrupt=interrupt)))
            except RuntimeError as error:
                if not lost_connection(error):
                    raise
                raise self._lost() from error

    def _lost(self) -> RunError:
        """Another process is gone. Where one has said why, this error is not to be said too."""
        who = f"process {self.launched.rank + 1} of {self.launched.count}"
        error = RunError(
            f"{who} lost the connection to another one, which ended without an error message; the last checkpoint is intact, "
            "and the same command resumes from it"
        )
        error.told = self._another_spoke()
        return error

    def _another_spoke(self) -> bool:
        """Whether a process has said why it failed, or another one says that it lost the connection."""
        try:
            until = time.monotonic() + SPEAK_SEC
            while time.monotonic() < until:
                if self.store.add(SPOKEN, 0):
                    return True
                time.sleep(0.1)
            return bool(self.store.add(LOST, 1) > 1)
        except RuntimeError:  # the store was in the process that is gone
            return False

    def about_to_fail(self, error: BaseException) -> None:
        """An error that ends this process alone will be said by it; one that ends all at once, by the first."""
        if isinstance(error, GanglionError) and error.told:
            return
        if isinstance(error, Interrupted | TrainingFailed) and not error.alone and not self.first:
            error.told = True
            return
        try:
            self.store.add(SPOKEN, 1)
        except RuntimeError:
            return  # the processes that would ask are gone


@contextmanager
def joined(launched: Launched) -> Iterator[Peers]:
    """Meets the other processes. Raises RunError where not all of them come."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    environment = cluster_environment(launched)
    os.environ |= {"MASTER_ADDR": environment.main_address, "MASTER_PORT": str(environment.main_port)}
    minutes = timedelta(minutes=JOIN_MINUTES)
    try:
        store, rank, count = next(rendezvous("env://", launched.rank, launched.count, timeout=minutes))
        backend = BACKENDS["cuda" if torch.cuda.is_available() else "cpu"]
        torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=NEVER)
    except (RuntimeError, ValueError, OSError) as error:
        where, why = f"{environment.main_address}:{environment.main_port}", " ".join(str(error).split())[:200]
        raise RunError(
            f"process {launched.rank + 1} of {launched.count} could not meet the others at {where} ({why}): did all of them "
            "start, and can they reach that port?"
        ) from error
    peers = Peers(launched, environment, store)
    try:
        yield peers
    except BaseException as error:
        peers.about_to_fail(error)
        raise
    finally:
        torch.distributed.destroy_process_group()


def cluster_environment(launched: Launched) -> ClusterEnvironment:
    """Where the first process is, as the launcher's variables say. Raises RunError where these do not suffice."""
    if launched.by != SRUN:
        os.environ.setdefault("LOCAL_RANK", str(launched.local_rank))  # unset where there is one process a machine
        return TorchElasticEnvironment()
    return SLURMEnvironment(auto_requeue=False)


def threads(launched: Launched, available: int | None = None, machine: int | None = None) -> int:
    """For a process: its share of the machine's cores, or all that it may use where the launcher has shared them out."""
    mine, there = available or cores(), machine or os.cpu_count() or 1
    return max(1, mine // launched.local_count) if mine == there else mine


def lost_connection(error: RuntimeError) -> bool:
    """Whether a message of torch.distributed failed: gloo and NCCL raise a RuntimeError of their own or a plain one."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error).lower()


def _store_here(given: Assignment, source: Images | None, cache: Path) -> Store:
    """The images where the first process packed them, or packed on this machine. Raises DataError for other images."""
    if is_store(given.packed):
        return open_store(given.packed, cache)
    data = given.job.recipe.data
    store = prepare(data, cache, Screen(quiet=True), source)
    if store.content != data.content:
        raise DataError(
            f"the images of {data.source} on {platform.node()} are not those of the first process's machine: copy them, or let "
            "GANGLION_CACHE be a folder that all machines share"
        )
    return store
