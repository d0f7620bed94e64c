"""A training as JSON Lines on standard output (`ganglion train --json`): an object for its start, each record, each finding
raised or cleared, each sheet of samples, and its end. docs/runs.md lists their keys.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

from ganglion.doctor.examine import FindingEvent
from ganglion.doctor.readers.treatments import Ending, Treatment
from ganglion.doctor.verdict import Verdict
from ganglion.vitals.records import Record

__all__ = ["JsonEvents", "Outcome", "prints_on_stderr"]

Outcome = Literal["finished", "stopped", "interrupted", "failed"]


class JsonEvents:
    """Writes an object a line, at once. A reader that went away does not stop the training; `say` is told."""

    def __init__(self, say: Callable[[str], None], stream: TextIO | None = None) -> None:
        """`stream`: this process's standard output, also where `sys.stdout` was replaced."""
        self._stream, self._say = stream or sys.__stdout__, say

    def start(self, treatments: Sequence[Treatment] = (), **facts: Any) -> None:
        """The run, its recipe, and the step that it begins or resumes at; of a treated run the attempt, and what led to it."""
        for newest in treatments[-1:]:
            told = {key: value for key, value in newest.to_json().items() if key not in ("event", "recipe")}
            facts |= {"attempt": newest.number + 1, "treatment": told}
        self._write("start", facts)

    def record(self, record: Record, verdict: Verdict) -> None:
        """As in vitals.jsonl, with the state of the verdict."""
        self._write("record", {**record, "state": verdict.state})

    def finding(self, event: FindingEvent) -> None:
        """As in findings.jsonl."""
        self._write("finding", event.to_json())

    def sheet(self, kind: str, path: Path, step: int) -> None:
        """Where a sheet of samples was written."""
        self._write("samples", {"step": step, "kind": kind, "path": str(path)})

    def end(self, outcome: Outcome, verdict: Verdict, **facts: Any) -> None:
        """How it ended, and the whole verdict."""
        self._write("end", {"outcome": outcome, **facts, "verdict": verdict.to_json()})

    def treated(self, ending: Ending) -> None:
        """Which attempt of a treated run is the best; after its end."""
        self._write("treated", ending.to_json())

    def _write(self, kind: str, content: dict[str, Any]) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(json.dumps({"type": kind, **content}, allow_nan=False) + "\n")
            self._stream.flush()
        except OSError as error:
            _leave(self._stream)
            self._stream = None
            self._say(f"Standard output takes no more events ({error.strerror}); the training continues")


def _leave(stream: TextIO) -> None:
    """What the stream could not write goes nowhere, so that closing it at the end of the process raises nothing."""
    with contextlib.suppress(OSError, ValueError):
        handle = os.open(os.devnull, os.O_WRONLY)
        os.dup2(handle, stream.fileno())
        os.close(handle)


@contextlib.contextmanager
def prints_on_stderr(wanted: bool) -> Iterator[None]:
    """While it lasts, whatever is printed goes to standard error: only events are on standard output."""
    with contextlib.redirect_stdout(sys.stderr) if wanted else contextlib.nullcontext():
        yield
