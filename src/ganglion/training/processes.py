"""Runs a training in one process, or in one process per device on this machine.

The parent does not train: it starts the processes and waits until all have ended. A terminal sends Ctrl-C to every process;
only the parent handles it, and tells the others to stop. An error in one process ends the others.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy

from ganglion.errors import GanglionError, RunError
from ganglion.platform.cores import cores
from ganglion.platform.interrupt import KEYS, SIGNALS, Interrupt

__all__ = ["Work", "launch"]


class Work(Protocol):
    """What each process does; whether it came to its end. It can be pickled."""

    def __call__(self, fabric: Fabric, *, interrupt: Interrupt) -> bool: ...


GRACE_SEC = 15.0  # in which the other processes end by themselves after one has failed
POLL_SEC = 0.1
BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}
"""By device; what is said of clock and signals stays on the CPU, so that no step waits for the device."""
NEVER = timedelta(days=365)  # a process that waits for the others: the parent notices where one of these has ended


def launch(work: Work, device: torch.device, devices: int, precision: Any) -> bool:
    """Runs `work` in as many processes as there are devices; what it returned in the first.

    A GanglionError of any of them is raised here as it was there; so is any other error, with its traceback as the cause.
    Raises RunError where one ended without an error message.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces the precision; so do we
    with Interrupt() as interrupt:
        if devices > 1:
            return _launch_several(work, device, devices, precision, interrupt)
        fabric = Fabric(accelerator=device.type, devices=1, precision=precision)
        return bool(fabric.launch(partial(work, interrupt=interrupt)))


@dataclass(frozen=True)
class Outcome:
    """The result or the error of a process."""

    result: bool = False
    error: BaseException | None = None
    text: str = ""
    """Its traceback."""
    seconds: float = 0.0
    """Of the machine's monotonic clock: of two errors the earlier one is the cause."""


class TracebackInProcess(Exception):  # noqa: N818 (the name is what is read above the traceback)
    """What a process of the run printed of its error; it stands as the cause of the same error here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


# The parent


class _Worker:
    """One process as its parent sees it."""

    def __init__(self, process: Any, connection: Connection) -> None:
        self.process, self.connection = process, connection
        self.outcome: Outcome | None = None
        self.listening, self.killed = True, False

    def tell(self, what: bytes) -> None:
        try:
            self.connection.send_bytes(what)
        except OSError:
            self.listening = self.connection.closed  # it has ended, and its sentinel says so

    def listen(self) -> None:
        try:
            while self.listening and self.connection.poll():
                self.outcome = pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            self.listening = False

    def has_failed(self) -> bool:
        ended = not self.process.is_alive()
        self.listen()  # after it was asked whether it has ended: its last words come before that
        return ended if self.outcome is None else self.outcome.error is not None

    def kill(self) -> None:
        if self.process.is_alive():
            self.killed = self.outcome is None
            self.process.kill()


def _launch_several(work: Work, device: torch.device, devices: int, precision: Any, interrupt: Interrupt) -> bool:
    # pickled here, since multiprocessing would let tensors share their memory, and each process trains networks of its own
    job = pickle.dumps((work, device, precision))
    workers: list[_Worker] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            workers.extend(_start(rank, devices, Path(folder) / "rendezvous") for rank in range(devices))
            for worker in workers:
                worker.tell(job)
            _wait(workers, interrupt)
        finally:
            for worker in workers:
                worker.kill()
            for worker in workers:
                worker.process.join()
                worker.connection.close()
    return _judged(workers)


def _start(rank: int, count: int, meeting: Path) -> _Worker:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_process, args=(rank, count, there, meeting), name=f"ganglion-{rank}")
    with _unheard():
        process.start()
    there.close()
    return _Worker(process, here)


@contextmanager
def _unheard() -> Iterator[None]:
    """While it lasts signals are ignored; a process that is started meanwhile ignores them from its first moment on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(workers: Sequence[_Worker], interrupt: Interrupt, clock: Callable[[], float] = time.monotonic) -> None:
    """Until all have ended; after one has failed the others have GRACE_SEC."""
    told, deadline = False, float("inf")
    while alive := [worker for worker in workers if worker.process.is_alive()]:
        wait([w.process.sentinel for w in alive] + [w.connection for w in alive if w.listening], POLL_SEC)
        if interrupt.wanted and not told:
            told = True
            for worker in alive:
                worker.tell(b"stop")
        if sum(worker.has_failed() for worker in workers):  # every one of them is heard
            deadline = min(deadline, clock() + GRACE_SEC)
        if clock() > deadline:
            for worker in alive:
                worker.kill()


def _judged(workers: Sequence[_Worker]) -> bool:
    """What the first process returned. Raises what ended the run: where one fails, the others fail for want of it."""
    failed = [(rank, worker) for rank, worker in enumerate(workers) if worker.has_failed()]
    spoken = [worker.outcome for _, worker in failed if worker.outcome is not None]
    for outcome in spoken:
        if isinstance(outcome.error, GanglionError):
            raise outcome.error
    for rank, worker in failed:
        if worker.outcome is None and not worker.killed:
            raise RunError(_last_words(rank, len(workers), worker.process.exitcode))
    if spoken:
        first = min(spoken, key=lambda outcome: outcome.seconds)
        assert first.error is not None
        raise first.error from TracebackInProcess(first.text)
    return workers[0].outcome is not None and workers[0].outcome.result


def _last_words(rank: int, count: int, code: int) -> str:
    who = f"process {rank + 1} of {count}"
    if code < 0:
        memory = " (the system's own, where memory runs out)" if -code == getattr(signal, "SIGKILL", 0) else ""
        return f"{who} ended with signal {-code}{memory}; the last checkpoint is intact, and the same command resumes from it"
    return (
        f"{who} ended with exit code {code} and without an error message; the last checkpoint is intact. A script that calls "
        'ganglion.train with several devices does so under: if __name__ == "__main__":'
    )


# The process


def _process(rank: int, count: int, parent: Connection, meeting: Path) -> None:
    """All that a process does; its last words are sent before it leaves the others, so that theirs come later."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for number in KEYS:
        signal.signal(number, signal.SIG_IGN)
    outcome = _outcome(partial(_run, rank, count, parent, meeting))
    parent.send_bytes(_pickled(outcome))
    if torch.distributed.is_initialized():  # gloo's threads abort a process that ends while they run
        torch.distributed.destroy_process_group()


def _end_with_parent() -> None:
    """Without its parent nobody holds the run's lock, so a process of it must not go on."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(rank: int, count: int, parent: Connection, meeting: Path) -> bool:
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, cores() // count))
    work, device, precision = pickle.loads(parent.recv_bytes())
    with Interrupt([number for number in SIGNALS if number not in KEYS], (), also=parent.poll) as interrupt:
        _join(rank, count, device, meeting)
        strategy = DDPStrategy(cluster_environment=LightningEnvironment())
        fabric = Fabric(accelerator=device.type, devices=count, strategy=strategy, precision=precision)
        return bool(fabric.launch(partial(work, interrupt=interrupt)))


def _join(rank: int, count: int, device: torch.device, meeting: Path) -> None:
    """Meets the others at a file: a free port that is looked for beforehand may be taken by the time it is used."""
    store = vars(torch.distributed)["FileStore"](str(meeting), count)
    backend = BACKENDS[device.type]
    torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=NEVER)


def _outcome(run: Callable[[], bool]) -> Outcome:
    try:
        return Outcome(run())
    except BaseException as error:
        return Outcome(error=error, text=traceback.format_exc(), seconds=time.monotonic())


def _pickled(outcome: Outcome) -> bytes:
    """With an error that no other process can be given, its traceback alone."""
    try:
        content = pickle.dumps(outcome)
        pickle.loads(content)
    except Exception:
        kind = type(outcome.error).__name__
        plain = RuntimeError(f"{kind}: {outcome.error}")
        return pickle.dumps(Outcome(error=plain, text=outcome.text, seconds=outcome.seconds))
    return content
