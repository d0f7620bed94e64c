"""`ganglion.train`: training, and the report at its end, also of a training that failed."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import Any

from ganglion.platform.screen import Screen
from ganglion.report.report import write_report
from ganglion.runs.folder import Run
from ganglion.training.train import train as train_only

__all__ = ["leave_report", "train"]


def leave_report(run: Run, cache: Path | None = None, quiet: bool = False) -> None:
    """Writes `report.html` into the run. Never raises: the run is saved, and a missing report must not hide that."""
    screen = Screen(quiet=quiet)
    try:
        screen.say(f"Report: {write_report(run, cache=cache, quiet=True)}")
    except Exception as error:
        screen.say(f"The report could not be made ({type(error).__name__}: {error}); try: ganglion report {run.path}")


@wraps(train_only)
def train(*args: Any, **asked: Any) -> Run:
    """The same, and `report.html` in the run folder at the end; pass your own `at_end` for something else."""
    cache = Path(asked["cache"]) if asked.get("cache") else None
    quiet = bool(asked.get("quiet", False))
    return train_only(*args, **{"at_end": lambda run: leave_report(run, cache, quiet), **asked})
