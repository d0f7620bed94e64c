"""What the tests of the commands share: a command run in this process, and runs that it may write into."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

import ganglion
from ganglion.cli.app import app
from ganglion.errors import GanglionError
from tiny import TINY


class Ended(NamedTuple):
    code: int
    out: str
    """Standard output."""
    said: str
    """Standard error, without the frame that usage errors are drawn in."""


Command = Callable[..., Ended]


@pytest.fixture(scope="session")
def command(cache: Path) -> Command:
    """Runs `ganglion WORDS`; whatever a person would meet as a traceback fails the test."""

    def run(*words: object) -> Ended:
        runner = CliRunner(env={"GANGLION_CACHE": str(cache), "COLUMNS": "120"})
        done = runner.invoke(app, [str(word) for word in words])
        if isinstance(done.exception, GanglionError):
            return Ended(done.exception.exit_code, done.stdout, str(done.exception))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ended(done.exit_code, done.stdout, " ".join(done.stderr.replace("│", " ").split()))

    return run


@pytest.fixture
def refused(command: Command, tmp_path: Path) -> Callable[..., str]:
    """Runs words that are wrong and returns what is said; nothing may be printed, and nothing written."""

    def run(*words: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        ended = command(*words)
        assert ended.code in (1, 2)
        assert ended.out == ""
        assert ended.said.count("\n") < 2
        assert sorted(tmp_path.rglob("*")) == before
        return ended.said

    return run


@pytest.fixture
def own_run(digits_run: ganglion.Run, tmp_path: Path) -> Path:
    """A copy of the run of digits, to be written into."""
    return Path(shutil.copytree(digits_run.path, tmp_path / "run"))


@pytest.fixture(scope="session")
def conditional_run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Twelve steps on the digits with their classes, 0 to 9. Look, do not touch."""
    folder = tmp_path_factory.mktemp("runs") / "conditional"
    ganglion.train(
        "digits", recipe="dcgan", size=16, steps=12, run=folder, precision="32", device="cpu",
        set={**TINY, "data.conditional": True}, cache=cache, quiet=True,
        at_end=lambda run: None,
    )  # fmt: skip
    return folder
