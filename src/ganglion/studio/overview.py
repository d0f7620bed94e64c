"""Every run under a folder, each in a few numbers: what the page Runs lists. It reads little, and only what has changed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ganglion.doctor.examine import examine
from ganglion.doctor.verdict import State, Verdict
from ganglion.errors import GanglionError
from ganglion.recipe.size import size_text
from ganglion.runs.folder import Run, is_locked
from ganglion.studio.jobs import Jobs
from ganglion.vitals.records import Record, read_records

__all__ = ["Activity", "RunSummary", "Runs", "activity_of", "sheet_steps"]


Activity = Literal["starting", "training", "finished", "stopped", "watched"]

DEEPEST = 4  # folders between FOLDER and a run
MOST_FOLDERS = 5000  # looked into
RECENT_SEC = 90.0  # a watched training without a record for longer has ended, as far as can be seen
WRITTEN = (
    "recipe.yaml", "vitals.jsonl", "findings.jsonl", "treatments.jsonl", "samples/fixed", "samples/fresh", "checkpoints/best",
    "checkpoints/latest",
)  # fmt: skip
"""What of a run is written while it trains, the pointers to checkpoints last."""
SKIPPED = {"node_modules", "__pycache__", "tensorboard", "checkpoints", "samples"}


@dataclass(frozen=True)
class RunSummary:
    """A row of the list. Numbers are None where they were not measured."""

    name: str
    activity: Activity
    own: bool = True
    """Of `ganglion train`, and not of a watched training."""
    state: State = "unknown"
    label: str = "unknown"
    """State, and whether the samples are good."""
    findings: tuple[str, ...] = ()
    facts: str = ""
    """Recipe, source and size."""
    sheet: int | None = None
    """Step of the newest sheet of fixed latents."""
    score: float | None = None
    """The best Fréchet distance of a snapshot; lower is better."""
    relative_distance: float | None = None
    kimg: float | None = None
    images_per_sec: float | None = None
    left_sec: float | None = None
    fraction: float | None = None
    """Of the budget."""
    changed: float = 0.0
    """Seconds since 1970 of the last record."""


class Runs:
    """The runs under a folder. A run is read again only when its files have changed."""

    def __init__(self, folder: Path, jobs: Jobs) -> None:
        self._folder, self._jobs = folder, jobs
        self._kept: dict[str, tuple[object, RunSummary]] = {}

    def summaries(self) -> list[RunSummary]:
        """Newest first: runs that train, those that start, then the others by the time of their last record."""
        found = [summary for path in run_folders(self._folder) if (summary := self._summary(path)) is not None]
        there = {summary.name for summary in found}
        starting = [job for job in self._jobs.alive() if job.run.is_relative_to(self._folder)]
        names = {job.run.relative_to(self._folder).as_posix(): job for job in starting}
        found += [RunSummary(name, "starting", changed=job.began) for name, job in names.items() if name not in there]
        self._kept = {name: kept for name, kept in list(self._kept.items()) if name in there}
        return sorted(found, key=lambda one: (one.activity not in ("training", "starting"), -one.changed, one.name))

    def _summary(self, path: Path) -> RunSummary | None:
        name = path.relative_to(self._folder).as_posix()
        try:
            signature = signature_of(path)
            kept = self._kept.get(name)
            summary = kept[1] if kept and kept[0] == signature else summary_of(path, name)
            self._kept[name] = signature, summary
            return replace(summary, activity=activity_of(path, summary.left_sec, summary.changed))
        except (OSError, GanglionError, ValueError, KeyError, TypeError):
            return None if not path.is_dir() else RunSummary(name, "stopped", facts="cannot be read")


def run_folders(folder: Path) -> Iterator[Path]:
    """Folders of runs, ours and watched ones, at most DEEPEST below `folder`. What is inside a run is not searched."""
    waiting, looked = [(folder, 0)], 0
    while waiting and looked < MOST_FOLDERS:
        where, depth = waiting.pop(0)
        looked += 1
        try:
            with os.scandir(where) as entries:
                inside = list(entries)
        except OSError:  # deleted meanwhile, or not ours
            continue
        names = {entry.name for entry in inside}
        if depth and ("recipe.yaml" in names or "vitals.jsonl" in names):
            yield where
            continue
        if depth < DEEPEST:
            waiting += [
                (where / entry.name, depth + 1)
                for entry in sorted(inside, key=lambda one: one.name)
                if entry.name not in SKIPPED and not entry.name.startswith(".") and _is_folder(entry)
            ]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def signature_of(path: Path) -> object:
    """Changes whenever a record, a finding, a sheet, a checkpoint or the recipe is written."""
    stats = [_stat(path / name) for name in WRITTEN]
    return tuple((stat.st_mtime_ns, stat.st_size) if stat else None for stat in stats)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def counted_records(path: Path) -> list[Record]:
    """Of the run in a folder, those that count images."""
    return [record for record in read_records(path / "vitals.jsonl") if "kimg" in record]


def summary_of(path: Path, name: str) -> RunSummary:
    """Reads the run anew. Raises GanglionError, OSError."""
    records = counted_records(path)
    own = (path / "recipe.yaml").is_file()
    return summary_from(path, name, records, examine(records, own) if records else None)


def summary_from(path: Path, name: str, records: Sequence[Record], verdict: Verdict | None) -> RunSummary:
    """From records that are read already."""
    own = (path / "recipe.yaml").is_file()
    stat = _stat(path / "vitals.jsonl") or path.stat()
    sheets = sheet_steps(path / "samples" / "fixed")
    last: Record = records[-1] if records else {}
    left, seconds = last.get("eta_sec"), last.get("seconds")
    total = (left or 0) + (seconds or 0)
    return RunSummary(
        name, "stopped" if own else "watched", own,
        verdict.state if verdict else "unknown", verdict.label if verdict else "unknown",
        tuple(finding.code for finding in verdict.findings) if verdict else (),
        _facts(path) if own else "a watched training", sheets[-1] if sheets else None,
        Run(path).best_of(records).get("frechet") if own else None, _newest(records, "relative_distance"), last.get("kimg"),
        last.get("images_per_sec"), left, seconds / total if left is not None and seconds and total else None,
        stat.st_mtime,
    )  # fmt: skip


def _facts(path: Path) -> str:
    recipe = Run(path).recipe
    size = f" at {size_text(recipe.data.size)}" if recipe.data.size else ""
    return f"{recipe.name} · {recipe.data.source or 'images in memory'}{size}"


def sheet_steps(folder: Path) -> list[int]:
    """Steps of the sheets in `samples/fixed` or `samples/fresh`, oldest first."""
    try:
        return sorted(int(path.stem) for path in folder.iterdir() if path.suffix == ".png" and path.stem.isdigit())
    except (OSError, ValueError):
        return []


def _newest(records: Sequence[Record], key: str) -> float | None:
    return next((float(record[key]) for record in reversed(records) if record.get(key) is not None), None)


def activity_of(path: Path, left_sec: float | None, changed: float, clock: Any = time.time) -> Activity:
    """What happens in a run's folder. `left_sec`: of its last record; `changed`: when that was written."""
    if not (path / "recipe.yaml").is_file():
        return "training" if clock() - changed < RECENT_SEC else "watched"
    if is_locked(path):
        return "training" if left_sec is not None else "starting"
    return "finished" if left_sec == 0 or _stopped_for_good(path) else "stopped"


def _stopped_for_good(path: Path) -> bool:
    """Whether the run ended before its budget for a reason of its own, such as --stop-when-done."""
    try:
        latest = (path / "checkpoints" / "latest").read_text(encoding="utf-8").strip()
        state = json.loads((path / "checkpoints" / latest / "state.json").read_text(encoding="utf-8"))
        return bool(state["progress"].get("stopped"))
    except (OSError, ValueError, KeyError, AttributeError):
        return False
