"""A run in two processes that the command itself starts: what it raises, and how it stops."""

from __future__ import annotations

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

import pytest
from lightning_fabric import Fabric

import ganglion
from ganglion.errors import RunError, StorageError, TrainingFailed
from ganglion.platform.interrupt import Interrupt
from ganglion.training.processes import Outcome, _judged, _outcome, _pickled, launch
from tiny import TINY, as_options
from two_processes import CPU, Learnt

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
