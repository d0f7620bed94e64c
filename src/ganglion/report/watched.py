"""`ganglion report` on the folder of a watched training: verdict, samples over training and vitals; there is no recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganglion.doctor.diagnose import diagnose
from ganglion.doctor.verdict import Verdict
from ganglion.platform.files import write_atomically
from ganglion.report.album import snapshots
from ganglion.report.panels import panels_of
from ganglion.report.render import for_script, render
from ganglion.runs.folder import Run
from ganglion.runs.history import RunHistory, spans_of
from ganglion.vitals.records import read_lines, read_records

__all__ = ["is_watched", "watched_history", "write_watched_report"]

LIMIT = 3_000_000  # characters
MARKUP = 10_000


def is_watched(folder: Path) -> bool:
    """Whether a folder was written by `ganglion.watch`: it has vitals and no recipe."""
    return (folder / "vitals.jsonl").is_file() and not (folder / "recipe.yaml").is_file()


def write_watched_report(folder: Path, out: Path | None = None) -> Path:
    """Writes `report.html` of a watched training; returns the file. Raises DataError, StorageError."""
    target = out or folder / "report.html"
    verdict = diagnose(folder)
    history = watched_history(folder)
    records = history.records
    panels = panels_of(history) if records else []
    content = _content(folder, verdict, history)
    page = render("watched.html", panels, snapshots=[], snapshots_json="", **content)
    sheets = Run(folder)
    found = snapshots(sheets.fixed_samples, sheets.fresh_samples, LIMIT - len(page.encode()) - MARKUP)
    kimg_at = {record["step"]: record["kimg"] for record in records}
    shown = [
        {
            "step": one.step,
            "kimg": round(kimg_at.get(one.step, 0.0), 1),
            "fixed": one.fixed,
            "fresh": None,
            "best": False,
        }
        for one in found
    ]
    page = render("watched.html", panels, snapshots=found, snapshots_json=for_script(shown), **content)
    write_atomically(target, page.encode())
    return target


def watched_history(folder: Path) -> RunHistory:
    """The records of a watched training, and when its findings held. Raises DataError."""
    records = [record for record in read_records(folder / "vitals.jsonl") if "kimg" in record]
    return RunHistory(records, spans_of(read_lines(folder / "findings.jsonl"), records))


def _content(folder: Path, verdict: Verdict, history: RunHistory) -> dict[str, Any]:
    sentence = verdict.headline[0].upper() + verdict.headline[1:]
    codes = ", ".join(finding.code for finding in verdict.findings)
    last = history.records[-1] if history.records else {"step": 0}
    return {
        "title": folder.name or str(folder),
        "facts": ["a watched training", f"{last['step']:,} steps of G", f"{history.kimg:,.1f} kimg of real images"],
        "verdict": verdict,
        "lead": f"{sentence}: {codes}." if codes else f"{sentence}.",
        "seen": verdict.seen,
        "real": None,
        "band_about": "",
    }
