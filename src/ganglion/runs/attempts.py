"""Attempts of a treated run: how one is kept in `RUN/attempts` when another follows it, and which one the run holds in the end.

Each change is made so that it can be cut short at any moment: done again, it ends the same.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from ganglion.doctor.readers.treatments import (
    ATTEMPTS,
    TREATMENTS,
    Ending,
    Treatment,
    attempt_folder,
    treatments_of,
)
from ganglion.errors import StorageError
from ganglion.platform.files import move, storage_errors, write_atomically
from ganglion.runs.checkpoints import SCORE_NOISE, saved_progress
from ganglion.runs.folder import Run
from ganglion.vitals.records import read_lines

__all__ = ["best_attempt", "first_attempt", "keep_attempt", "note", "put_in_place", "scores_of"]

IDENTITY = ("environment.json", "networks.py", "attributes.npy", "start.json", "recipe.yaml")
"""What the run is never without: copied when an attempt is kept, recipe.yaml last, and replaced by the next attempt's."""
LEFT_OVER = ".left-over-"
STAYS = {".lock", ATTEMPTS, TREATMENTS}
"""What belongs to the run, not to one attempt."""


def note(run: Path, line: Treatment | Ending) -> None:
    """Adds a line to `treatments.jsonl`; with it, it is decided. Raises StorageError."""
    lines = [*read_lines(run / TREATMENTS), line.to_json()]
    write_atomically(run / TREATMENTS, "".join(f"{json.dumps(one, allow_nan=False)}\n" for one in lines).encode())


def first_attempt(run: Path) -> Path:
    """The folder of the attempt that the command itself began: the run's own where that was not treated."""
    first = attempt_folder(run, 1)
    return first if (first / "recipe.yaml").is_file() else run


def keep_attempt(run: Path, number: int) -> Path:
    """Moves the attempt that `run` holds into a folder of its own, unless it is there. Raises StorageError."""
    kept = attempt_folder(run, number)
    if (kept / "recipe.yaml").is_file():
        return kept
    with storage_errors(kept):
        kept.mkdir(parents=True, exist_ok=True)
        for name in sorted({child.name for child in run.iterdir()} - STAYS - set(IDENTITY)):
            if not (kept / name).exists():
                _moved(run / name, kept / name)
        for name in IDENTITY:
            if (run / name).is_file():
                _copy(run / name, kept / name)
    return kept


def put_in_place(run: Path, number: int) -> None:
    """Has `run` hold the kept attempt `number`, once the attempt that it held is kept. Raises StorageError."""
    kept = attempt_folder(run, number)
    with storage_errors(run):
        if kept.is_dir():
            for name in sorted({child.name for child in kept.iterdir()} - set(IDENTITY)):
                _moved(kept / name, run / name)
            for name in IDENTITY:
                if (kept / name).is_file():
                    _copy(kept / name, run / name)
                else:
                    (run / name).unlink(missing_ok=True)  # of the attempt that is kept
            move(kept, kept.with_name(f"{LEFT_OVER}{number}"))
        for leftover in (run / ATTEMPTS).glob(f"{LEFT_OVER}*"):
            shutil.rmtree(leftover)


def scores_of(run: Path) -> dict[int, float]:
    """The best score of each attempt that has one, by number; lower is better.

    Attempts on images that were prepared in another way than the newest one's are left out: their scores do not compare.
    """
    last = len(treatments_of(run)) + 1
    folders = {number: attempt_folder(run, number) for number in range(1, last)} | {last: run}
    content = Run(run).recipe.data.content
    found = {}
    for number, folder in folders.items():
        progress = saved_progress(folder / "checkpoints") if Run(folder).exists else None
        if progress and progress.best_score is not None and Run(folder).recipe.data.content == content:
            found[number] = progress.best_score
    return found


def best_attempt(scores: Mapping[int, float], last: int) -> int:
    """The newest attempt whose best score is the lowest of all, but for the noise of a score."""
    lowest = min(scores.values(), default=None)
    return last if lowest is None else max(one for one, score in scores.items() if score <= lowest * SCORE_NOISE)


def _copy(source: Path, target: Path) -> None:
    write_atomically(target, source.read_bytes())


def _moved(source: Path, target: Path) -> None:
    try:
        move(source, target)
    except OSError as error:
        raise StorageError(
            f"{source} cannot be moved ({error.strerror or os.strerror(error.errno or 0)}): close the program that has it "
            "open, such as TensorBoard, and run the same command again"
        ) from error
