"""Trainings that a page starts: each in a process of its own, which outlives the page and the studio.

A record of each lies in the cache, so that a studio that is started later still finds it, its output and its process.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from ganglion.errors import RunError
from ganglion.platform.command_line import pasteable
from ganglion.platform.files import storage_errors, write_atomically
from ganglion.platform.process_identity import Identity, identity_of, living
from ganglion.runs.folder import is_locked, named_process

__all__ = ["Job", "Jobs", "Starter", "detached"]


TAIL_BYTES = 20_000
TAIL_LINES = 40


STOPPED = ("interrupted and saved", "stopped at once")  # as `ganglion train` says it
DONE = ("Finished", "Stopped", "This run")
KILLED = (
    "It ended without saying why: stopped before its first step, killed, or short of memory. What it saved is intact."
)

Starter = Callable[[Sequence[str], Path, Path | None], Identity]
"""Starts a command with its output in a file and in a working directory; returns the process."""


@dataclass(frozen=True)
class Job:
    """A started training."""

    run: Path
    arguments: list[str]
    """Of the command `ganglion`."""
    process: Identity
    began: float
    """Seconds since 1970."""
    log: Path

    @property
    def command(self) -> str:
        """For a terminal."""
        return pasteable(["ganglion", *self.arguments])

    @property
    def alive(self) -> bool:
        return living(self.process) is not None

    def tail(self) -> list[str]:
        """The last lines that it printed; none where its log is gone."""
        return self._printed()[-TAIL_LINES:]

    def ending(self) -> str:
        """How it ended, where it did so by an error or without saying why; empty of one that runs, or was stopped and saved."""
        if self.alive:
            return ""
        lines = self._printed()  # an error with a verdict below it has more lines than are shown
        starts = [i for i, line in enumerate(lines) if line.startswith("error:")]
        if starts:
            text = "\n".join(lines[starts[-1] :]).removeprefix("error:").strip()
            return "" if text.startswith(STOPPED) else text.partition("\nVerdict ")[0]
        return "" if any(line.startswith(DONE) for line in lines) else KILLED

    def _printed(self) -> list[str]:
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
                return file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return []


class Jobs:
    """The trainings that were started from pages of studios with this cache."""

    def __init__(self, folder: Path, start: Starter | None = None) -> None:
        self._folder, self._start = folder, start or detached

    def start(self, arguments: Sequence[str], run: Path, folder: Path | None = None) -> Job:
        """Starts `ganglion ARGUMENTS` for the run in `run`, in the working directory `folder`; None: this one's.

        Raises RunError where it trains already, StorageError.
        """
        if self.trains(run):
            raise RunError(f"{run.name} is being trained already: stop it first, or choose another name")
        with storage_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        log = self._path(run, "log")
        with storage_errors(log):
            log.write_bytes(b"")
        identity = self._start([sys.executable, "-m", "ganglion.cli.app", *arguments], log, folder)
        job = Job(run, list(arguments), identity, time.time(), log)
        plain = asdict(job) | {"run": str(run), "log": str(log)}
        write_atomically(self._path(run, "json"), json.dumps(plain, indent=1).encode())
        return job

    def trains(self, run: Path) -> bool:
        """Whether the run is being trained, wherever that was started, or is about to be by a job."""
        return is_locked(run) or ((job := self.of(run)) is not None and job.alive)

    def of(self, run: Path) -> Job | None:
        """The last training of this run that was started from a page."""
        return _read(self._path(run, "json"))

    def alive(self) -> list[Job]:
        """Those that run."""
        found = [_read(path) for path in sorted(self._folder.glob("*.json"))] if self._folder.is_dir() else []
        return [job for job in found if job is not None and job.alive]

    def process(self, run: Path) -> psutil.Process | None:
        """The process that trains a run, wherever it was started on this machine; None where that is not known."""
        job = self.of(run)
        return (living(job.process) if job else None) or (living(named_process(run)) if is_locked(run) else None)

    def stop(self, run: Path) -> None:
        """Asks for a stop as by Ctrl-C: it saves and ends after the step that it is at. Raises RunError where it cannot.

        A process of ours gets SIGTERM, which ends it also while it still prepares; another one SIGINT, which ends no notebook.
        """
        process = self.process(run)
        if process is None:
            raise RunError(
                f"{run.name} is trained by a process that this machine does not know: stop it where it was started"
                if is_locked(run)
                else f"{run.name} is not being trained: there is nothing to stop"
            )
        if process.pid == os.getpid():
            raise RunError(f"{run.name} is trained by the program that this studio runs in: stop it there")
        try:
            process.send_signal(_stopping(own=(job := self.of(run)) is not None and job.alive))
        except (psutil.Error, OSError) as error:
            raise RunError(f"{run.name} cannot be stopped from here ({error}): stop it where it was started") from None

    def _path(self, run: Path, ending: str) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(run.absolute())).hexdigest()[:16]}.{ending}"


def detached(command: Sequence[str], log: Path, folder: Path | None = None) -> Identity:
    """Starts a command that outlives this process and its terminal; its output goes to `log`. Raises StorageError.

    `folder`: its working directory; None: this process's.
    """
    groups: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        groups = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    with storage_errors(log), log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, close_fds=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}, **groups,
        )  # fmt: skip
    threading.Thread(target=process.wait, daemon=True).start()  # so that it leaves no zombie
    return identity_of(process.pid)


def _stopping(own: bool) -> int:
    if sys.platform == "win32":
        return signal.CTRL_BREAK_EVENT
    return signal.SIGTERM if own else signal.SIGINT


def _read(path: Path) -> Job | None:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        return Job(Path(tree["run"]), tree["arguments"], tree["process"], float(tree["began"]), Path(tree["log"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
