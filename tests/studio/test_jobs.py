from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ganglion.errors import RunError, StorageError
from ganglion.platform.process_identity import Identity, identity_of, living
from ganglion.runs.folder import is_locked, locked
from ganglion.studio.jobs import KILLED, Job, Jobs, detached

WAITS = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), sys.exit(130)))\n"
)
SAYS_WHERE = "import os; print(os.getcwd())"
WAITS += "print('ready', flush=True)\nwhile True: time.sleep(0.05)"


def until(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def python(code: str) -> Callable[[Sequence[str], Path, Path | None], Identity]:
    """A starter that starts this code in place of the command."""
    return lambda command, log, folder: detached([sys.executable, "-c", code], log)


def test_a_started_training_is_found_by_a_later_studio_and_stopped_by_it(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "mine"
    job = Jobs(tmp_path / "jobs", python(WAITS)).start(["train", "--", "digits"], run)
    later = Jobs(tmp_path / "jobs")
    until(lambda: job.tail() == ["ready"])
    assert [found.run for found in later.alive()] == [run]
    assert later.of(run) == job
    assert job.command == "ganglion train -- digits"
    later.stop(run)
    until(lambda: not job.alive)
    assert job.tail() == ["ready", "saved"]
    assert not later.alive()


def test_a_training_is_in_a_session_of_its_own_so_that_it_outlives_the_studio(tmp_path: Path) -> None:
    job = Jobs(tmp_path / "jobs", python(WAITS)).start(["train"], tmp_path / "mine")
    assert os.getsid(job.process["pid"]) == job.process["pid"] != os.getsid(0)
    os.kill(job.process["pid"], signal.SIGKILL)
    until(lambda: not job.alive)


def test_what_a_training_said_as_it_failed_is_kept(tmp_path: Path) -> None:
    code = (
        "import sys; print('Scanning'); print('error: photos/ is empty\\n  add images', file=sys.stderr); sys.exit(1)"
    )
    job = Jobs(tmp_path / "jobs", python(code)).start(["train"], tmp_path / "mine")
    until(lambda: not job.alive)
    assert job.ending() == "photos/ is empty\n  add images"


ENDINGS = {
    "Scanning\nerror: interrupted and saved; the same command resumes the run (runs/x)": "",
    "error: stopped at once; the last checkpoint is intact": "",
    "99%\nFinished: 40.0 kimg in 72 s. Samples: x\nVerdict healthy": "",
    "error: numbers stopped being finite at step 7\nVerdict failing: x": "numbers stopped being finite at step 7",
    "error: memory ran out\nVerdict failing: x" + 90 * "\n  a line of the verdict": "memory ran out",
    "12%  3 kimg": KILLED,
    "": KILLED,
}


@pytest.mark.parametrize("text", ENDINGS)
def test_how_a_training_ended(text: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(text)
    assert Job(tmp_path, [], {}, 0.0, log).ending() == ENDINGS[text]


def test_a_training_that_is_killed_ends_without_saying_why(tmp_path: Path) -> None:
    job = Jobs(tmp_path / "jobs", python(WAITS)).start(["train"], tmp_path / "mine")
    assert job.ending() == ""
    os.kill(job.process["pid"], signal.SIGKILL)
    until(lambda: not job.alive)
    assert job.ending() == KILLED


def test_a_run_is_not_trained_twice(tmp_path: Path) -> None:
    run = tmp_path / "mine"
    jobs = Jobs(tmp_path / "jobs", lambda command, log, folder: identity_of())
    with locked(run), pytest.raises(RunError, match="being trained already"):
        jobs.start(["train"], run)
    jobs.start(["train"], run)
    with pytest.raises(RunError, match="being trained already"):
        jobs.start(["train"], run)


def test_there_is_nothing_to_stop_where_nothing_trains(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="nothing to stop"):
        Jobs(tmp_path / "jobs").stop(tmp_path / "mine")


def test_the_program_that_the_studio_runs_in_is_not_stopped(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "jobs", lambda command, log, folder: identity_of())
    jobs.start(["train"], tmp_path / "mine")
    with pytest.raises(RunError, match="stop it there"):
        jobs.stop(tmp_path / "mine")


def test_a_run_of_another_terminal_is_stopped_through_its_environment_file(tmp_path: Path) -> None:
    run = tmp_path / "mine"
    with locked(run):
        (run / "environment.json").write_text(f'{{"process": {str(identity_of()).replace(chr(39), chr(34))}}}')
        process = Jobs(tmp_path / "jobs").process(run)
        assert process is not None
        assert process.pid == os.getpid()
    assert Jobs(tmp_path / "jobs").process(run) is None  # it trains no more, though its process lives


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("a file")
    with pytest.raises(StorageError, match="cannot be written"):
        Jobs(tmp_path / "jobs").start(["train"], tmp_path / "mine")


def test_the_lock_of_a_run_tells_whether_it_trains(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "none")
    with locked(tmp_path / "mine"):
        assert is_locked(tmp_path / "mine")
    assert not is_locked(tmp_path / "mine")
    assert living(None) is None


def test_a_lock_that_cannot_be_opened_counts_where_its_process_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(lock: object) -> None:
        raise PermissionError("another user's")

    (tmp_path / ".lock").touch()
    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    assert not is_locked(tmp_path)
    (tmp_path / "environment.json").write_text(json.dumps({"process": identity_of()}))
    assert is_locked(tmp_path)


def test_a_training_starts_in_the_folder_that_is_asked_for(tmp_path: Path) -> None:
    start = Jobs(
        tmp_path / "jobs", lambda command, log, folder: detached([sys.executable, "-c", SAYS_WHERE], log, folder)
    )
    job = start.start(["train"], tmp_path / "mine", tmp_path)
    until(lambda: not job.alive)
    assert job.tail() == [str(tmp_path.resolve())]
