"""What the page of one run shows: what happens in it, verdict, samples over time, charts, findings, recipe."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ganglion.doctor.diagnose import diagnose
from ganglion.doctor.verdict import Finding, Remedy, Verdict
from ganglion.recipe.schema import Recipe
from ganglion.report.bands import healthy_bands
from ganglion.report.panels import Panel, panels_of
from ganglion.runs.folder import Run, named_process
from ganglion.runs.history import RunHistory, spans_of
from ganglion.studio.jobs import Job, Jobs
from ganglion.studio.overview import (
    Activity,
    RunSummary,
    activity_of,
    counted_records,
    sheet_steps,
    signature_of,
    summary_from,
)
from ganglion.vitals.records import is_step, read_lines

__all__ = ["Details", "Event", "Readings", "details_of", "remedies_of"]


OUTPUT_LINES = 12


@dataclass(frozen=True)
class Event:
    """A line of the log of findings."""

    what: str
    """raised or cleared."""
    code: str
    severity: str
    step: int
    why: str
    """Of the newest event of a finding; empty for the others."""


@dataclass(frozen=True)
class Details:
    """A run, read at one moment."""

    name: str
    own: bool
    """Whether it is one of ours, with a recipe; otherwise a watched training."""
    summary: RunSummary
    verdict: Verdict | None
    """None while nothing was recorded."""
    snapshots: list[dict[str, Any]]
    """step, kimg, fixed, fresh (whether there is such a sheet) and best, oldest first."""
    events: list[Event]
    """Newest first."""
    recipe: Recipe | None
    history: RunHistory = field(default_factory=lambda: RunHistory([], []), repr=False)
    output: list[str] = field(default_factory=list)
    """The last lines of a training that was started from a page."""
    failure: str = ""
    """How that training ended by an error."""

    @property
    def activity(self) -> Activity:
        return self.summary.activity

    @property
    def running(self) -> bool:
        return self.activity in ("training", "starting")


class Readings:
    """Reads runs for their pages; what has not changed since is not read again."""

    def __init__(self, jobs: Jobs, most: int = 8) -> None:
        self._jobs, self._most, self._lock = jobs, most, threading.Lock()
        self._kept: dict[Path, tuple[object, Details]] = {}
        self._charts: dict[Path, tuple[object, list[Panel]]] = {}

    def details(self, path: Path, name: str) -> Details:
        """Raises RunError, DataError, OSError where the run is gone or cannot be read."""
        job = self._jobs.of(path)
        signature = signature_of(path), path.exists()
        kept = self._kept.get(path)
        found = kept[1] if kept and kept[0] == signature else details_of(path, name)
        self._keep(self._kept, path, (signature, found))
        return _now(found, path, job)

    def charts(self, path: Path) -> tuple[str, list[Panel]]:
        """A mark that changes with the records, and the charts."""
        signature = signature_of(path)
        kept = self._charts.get(path)
        panels = kept[1] if kept and kept[0] == signature else _panels(path, self._history(path, signature))
        self._keep(self._charts, path, (signature, panels))
        return f"{hash(str(signature)) & 0xFFFFFFFF:x}", panels

    def _history(self, path: Path, signature: object) -> RunHistory:
        """As the page's other parts have read it, unless there is more by now."""
        kept = self._kept.get(path)
        return kept[1].history if kept and kept[0] == (signature, True) else history_of(path)

    def _keep(self, table: dict[Path, Any], path: Path, value: Any) -> None:
        with self._lock:
            table.pop(path, None)
            table[path] = value
            while len(table) > self._most:
                del table[next(iter(table))]


def details_of(path: Path, name: str) -> Details:
    """Reads a run anew. Raises RunError, DataError, OSError."""
    own = (path / "recipe.yaml").is_file()
    if not own and not (path / "vitals.jsonl").is_file():
        return Details(name, True, RunSummary(name, "starting"), None, [], [], None)
    history = history_of(path)
    verdict = diagnose(path) if history.records else None
    recipe = Run(path).recipe if own else None
    summary = summary_from(path, name, history.records, verdict)
    return Details(name, own, summary, verdict, _snapshots(path, history, recipe), _events(path), recipe, history)


def remedies_of(finding: Finding) -> list[Remedy]:
    """The remedies of a finding that are commands of `ganglion train`, best first."""
    return [remedy for remedy in finding.remedies if remedy.command.startswith("ganglion train ")]


def _now(found: Details, path: Path, job: Job | None) -> Details:
    """With what may have changed though no file has."""
    starting = job is not None and job.alive
    there = found.recipe is not None or not found.own
    activity = activity_of(path, found.summary.left_sec, found.summary.changed) if there else "stopped"
    if starting and activity != "training":
        activity = "starting"
    summary = replace(found.summary, activity=activity)
    output = job.tail()[-OUTPUT_LINES:] if job else []
    failure = job.ending() if job and activity == "stopped" and _is_last(job, path, found.summary.changed) else ""
    return replace(found, summary=summary, output=output, failure=failure)


def _is_last(job: Job, path: Path, changed: float) -> bool:
    """Whether nobody has trained the run since that job, such as from a terminal."""
    return named_process(path) in (None, job.process) or job.began > changed


def history_of(path: Path) -> RunHistory:
    records = counted_records(path)
    return RunHistory(records, spans_of(read_lines(path / "findings.jsonl"), records))


def _panels(path: Path, history: RunHistory) -> list[Panel]:
    return panels_of(history, _bands(path)) if history.records else []


def _bands(path: Path) -> Any:
    return healthy_bands(Run(path).recipe.name)[0] if (path / "recipe.yaml").is_file() else {}


def _snapshots(path: Path, history: RunHistory, recipe: Recipe | None) -> list[dict[str, Any]]:
    fixed, fresh = (set(sheet_steps(path / "samples" / kind)) for kind in ("fixed", "fresh"))
    kimg_at = {record["step"]: record["kimg"] for record in history.records}
    per_step = recipe.training.batch / 1000 if recipe else 0.0
    best = Run(path).best_step if recipe else None
    return [
        {"step": step, "kimg": round(kimg_at.get(step, step * per_step), 1), "fixed": step in fixed, "fresh": step in fresh,
         "best": step == best}
        for step in sorted(fixed | fresh)
    ]  # fmt: skip


def _events(path: Path) -> list[Event]:
    lines = [line for line in read_lines(path / "findings.jsonl") if "code" in line and is_step(line.get("step"))]
    found: list[Event] = []
    said: set[str] = set()
    for line in reversed(lines):
        code = str(line["code"])
        why = "" if code in said else str(line.get("why", ""))
        said.add(code)
        found.append(Event(str(line.get("event", "")), code, str(line.get("severity", "")), line["step"], why))
    return found
