"""`ganglion compare`: results of several runs, and differences between their recipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from ganglion.doctor.diagnose import diagnose
from ganglion.doctor.evidence import number_text
from ganglion.doctor.verdict import Verdict
from ganglion.errors import RunError
from ganglion.pictures.embed import data_uri
from ganglion.pictures.sheets import over_white
from ganglion.platform.files import write_atomically
from ganglion.recipe.resolve import flatten
from ganglion.report.panels import compared_panels
from ganglion.report.render import render
from ganglion.report.report import BEST_SCORES
from ganglion.runs.folder import Run
from ganglion.runs.history import RunHistory, run_history

__all__ = ["Comparison", "compare", "comparison_page", "write_comparison"]


Row = tuple[str, list[str]]
"""A name, and one value per run."""

LONGEST = 60  # characters of a value
NOT_COMPARED = {"data.classes", "data.class_counts", "data.conditions"}


@dataclass(frozen=True)
class Compared:
    """One of the runs."""

    name: str
    verdict: Verdict
    words: str
    samples: str | None
    """As a data URI."""


@dataclass(frozen=True)
class Comparison:
    """Runs, their results, and the differences between their recipes."""

    runs: list[Compared]
    outcomes: list[Row]
    differences: list[Row]
    histories: dict[str, RunHistory]

    def text(self) -> str:
        """Two tables for a terminal."""
        console = Console(width=max(80, 28 + 24 * len(self.runs)), no_color=True)
        verdicts = ("verdict", [_verdict(run.verdict) for run in self.runs])
        with console.capture() as captured:
            for heading, rows in (
                ("results", [verdicts, *self.outcomes]),
                ("differences between recipes", self.differences),
            ):
                table = Table(heading, *(run.name for run in self.runs), box=None, pad_edge=False)
                for name, values in rows:
                    table.add_row(name, *values)
                console.print(table)
                console.print()
        return captured.get().rstrip()


def compare(runs: Sequence[str | PathLike[str]]) -> Comparison:
    """Compares two runs or more. Raises RunError where there are fewer, or a folder is not a run."""
    folders = [Run(path) for path in runs]
    for run in folders:
        _ = run.recipe  # raises where it is not a run
    if len(folders) < 2:
        raise RunError("comparing needs at least two runs")
    names = _names([run.path for run in folders])
    histories = {name: run_history(run) for name, run in zip(names, folders, strict=True)}
    compared = [
        Compared(name, diagnose(run.path), _words(run, histories[name]), _samples(run))
        for name, run in zip(names, folders, strict=True)
    ]
    return Comparison(compared, _outcomes(folders, list(histories.values())), _differences(folders), histories)


def write_comparison(comparison: Comparison, out: Path) -> Path:
    """As one HTML file that needs no network. Raises StorageError."""
    write_atomically(out, comparison_page(comparison).encode())
    return out


def comparison_page(comparison: Comparison, back: str = "") -> str:
    """As HTML. `back`: an address to which the page leads back."""
    panels = compared_panels(comparison.histories) if any(h.records for h in comparison.histories.values()) else []
    title = " against ".join(run.name for run in comparison.runs)
    return render(
        "compare.html", panels, title=title, runs=comparison.runs, outcomes=comparison.outcomes,
        differences=comparison.differences, back=back,
    )  # fmt: skip


def _names(paths: Sequence[Path]) -> list[str]:
    """The folders' names; whole paths where two of them are the same."""
    names = [path.resolve().name for path in paths]
    if len(set(names)) == len(names):
        return names
    whole = [str(path) for path in paths]
    if len(set(whole)) < len(whole):
        raise RunError(f"a run cannot be compared with itself: {next(p for p in whole if whole.count(p) > 1)}")
    return whole


def _outcomes(runs: Sequence[Run], histories: Sequence[RunHistory]) -> list[Row]:
    """Results of each run; rows without any number are left out."""
    best = [run.best_of(history.records) for run, history in zip(runs, histories, strict=True)]
    rows = [
        ("images (kimg)", [_number(history.kimg) for history in histories]),
        ("minutes", [_number(_last(history, "seconds") / 60) for history in histories]),
        ("relative distance", [_number(_last(history, "relative_distance")) for history in histories]),
        *(
            (f"{name} of the best checkpoint", [_number(_known(record.get(key))) for record in best])
            for name, key in BEST_SCORES.items()
        ),
        ("last SWD", [_number(_last(history, "swd")) for history in histories]),
        ("floor of the SWD", [_number(_last(history, "swd_floor")) for history in histories]),
        ("diversity", [_number(_last(history, "diversity")) for history in histories]),
        ("D AUC (of D's logits)", [_number(_last(history, "separation")) for history in histories]),
        ("images/s, median", [_number(_median(history, "images_per_sec")) for history in histories]),
    ]
    return [(name, values) for name, values in rows if any(value != "-" for value in values)]


def _differences(runs: Sequence[Run]) -> list[Row]:
    trees = [flatten(run.recipe) for run in runs]
    keys = list(dict.fromkeys(key for tree in trees for key in tree if key not in NOT_COMPARED))
    rows = [(key, [tree.get(key, "-") for tree in trees]) for key in keys]
    return [
        (key, [_shown(value) for value in values]) for key, values in rows if any(one != values[0] for one in values)
    ]


def _words(run: Run, history: RunHistory) -> str:
    best = run.best_step
    at = next((record["kimg"] for record in history.records if record["step"] == best), None)
    return "" if best is None else f"best: step {best:,}" + ("" if at is None else f", {at:,.1f} kimg")


def _samples(run: Run) -> str | None:
    """The fixed latents at the best checkpoint, else at the last snapshot."""
    sheets = sorted(run.fixed_samples.glob("*.png"))
    best = run.fixed_samples / f"{run.best_step or 0:08d}.png"
    chosen = best if run.best_step is not None and best.is_file() else (sheets[-1] if sheets else None)
    if chosen is None:
        return None
    with Image.open(chosen) as picture:
        return data_uri(np.asarray(over_white(picture)))


def _verdict(verdict: Verdict) -> str:
    codes = ", ".join(finding.code for finding in verdict.findings)
    return f"{verdict.label}: {codes}" if codes else verdict.label


def _last(history: RunHistory, key: str) -> float:
    return next((float(r[key]) for r in reversed(history.records) if r.get(key) is not None), np.nan)


def _median(history: RunHistory, key: str) -> float:
    values = [r[key] for r in history.records if r.get(key) is not None]
    return float(np.median(values)) if values else np.nan


def _known(value: Any) -> float:
    return np.nan if value is None else float(value)


def _number(value: float) -> str:
    return "-" if np.isnan(value) else number_text(value)


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
