"""A run as notebooks show it: verdict, newest samples and small charts; and the panel of one that is training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ganglion.doctor.diagnose import diagnose
from ganglion.doctor.verdict import Verdict
from ganglion.errors import DataError, RunError
from ganglion.notebook.curves import Chart, chart_of
from ganglion.notebook.fragment import fragment
from ganglion.notebook.screen import NotebookScreen
from ganglion.pictures.embed import data_uri
from ganglion.platform.screen import Screen
from ganglion.recipe.size import size_text
from ganglion.runs.folder import Run
from ganglion.runs.journal import RunJournal
from ganglion.vitals.records import Record, is_step, parsed

__all__ = ["Panel", "progress_of", "run_html"]

SECONDS_BETWEEN_LOOKS = 2.0
MOST_RECORDS = 4000
"""Of more, every second one is forgotten, so that a look at a long run takes no longer."""
Show = Callable[[float, str | None], None]


class ChartOf(NamedTuple):
    """A chart: title, keys of the record by the names of its lines, fixed bounds, lines that are dashed."""

    title: str
    keys: Mapping[str, str]
    bounds: tuple[float, float] | None = None
    dashed: tuple[str, ...] = ()


CHARTS = (
    ChartOf("Losses", {"D": "loss_d", "G": "loss_g"}),
    ChartOf("D AUC", {"real over fake": "separation"}, (0.0, 1.0)),
    ChartOf("Relative distance", {"averaged G": "relative_distance"}),
    ChartOf("SWD to the data", {"samples": "swd", "floor": "swd_floor"}, dashed=("floor",)),
)
KEYS = {"kimg", *(key for chart in CHARTS for key in chart.keys.values())}


class Sheet(NamedTuple):
    """The newest sheet of samples."""

    title: str
    uri: str


@dataclass
class View:
    """What is shown of a run folder; `look` reads what is new in it."""

    run: Run
    sheet: Sheet | None = None
    charts: list[Chart] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    """The numbers that are plotted, oldest first; of a long run some."""
    _read: int = 0
    _newest: str = ""

    def look(self) -> View:
        """Reads new records and the newest sheet."""
        self.records += [{key: record.get(key) for key in KEYS} for record in self._new_records() if "kimg" in record]
        while len(self.records) > MOST_RECORDS:
            self.records = [*self.records[:-1:2], self.records[-1]]
        kimg = [record["kimg"] for record in self.records]
        made = (
            chart_of(
                one.title, kimg, {name: [record[key] for record in self.records] for name, key in one.keys.items()},
                one.bounds, dashed=one.dashed,
            )
            for one in CHARTS
        )  # fmt: skip
        self.charts = [chart for chart in made if chart is not None]
        newest = max((path for path in self.run.fixed_samples.glob("*.png") if path.stem.isdigit()), default=None)
        if newest is not None and newest.name != self._newest:
            self._newest, self.sheet = newest.name, _sheet(newest)
        return self

    def _new_records(self) -> Iterator[Record]:
        """Complete lines after those that were read before."""
        try:
            with (self.run.path / "vitals.jsonl").open("rb") as file:
                file.seek(self._read)
                content = file.read()
        except OSError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            record = parsed(line)
            if record is not None and is_step(record.get("step")):
                yield record


def run_html(run: Run) -> str:
    """The run for a notebook; also of a folder that is no run yet, and of one in which files are missing or damaged."""
    try:
        verdict: Verdict | None = diagnose(run.path)
    except (DataError, RunError, OSError):
        verdict = None
    view = View(run).look()
    return fragment(
        "run.html", title=run.path.name or str(run.path), facts=_facts(run, view.records), verdict=verdict, shown=view
    )


class Panel:
    """Charts, samples and findings of a training, in one output of the cell, which is replaced."""

    def __init__(self, screen: NotebookScreen, run: Run, verdict: Callable[[], Verdict]) -> None:
        self._clock, self._output, self._verdict = screen.clock, screen.output(), verdict
        self._view, self._last = View(run), float("-inf")

    def refresh(self, now: bool = False) -> None:
        """Shows what is new, at most every two seconds unless it is wanted `now`."""
        if not now and self._clock() - self._last < SECONDS_BETWEEN_LOOKS:
            return
        self._last, verdict = self._clock(), self._verdict()
        html = fragment("panel.html", shown=self._view.look(), verdict=verdict)
        self._output.show(html, f"Verdict {verdict.label}: {verdict.headline}")


@contextmanager
def progress_of(screen: Screen, run: Run, journal: RunJournal) -> Iterator[Show]:
    """The screen's progress of a training; in a notebook with a panel below it."""
    with screen.training() as show:
        if not isinstance(screen, NotebookScreen):
            yield show
            return
        panel = Panel(screen, run, lambda: journal.verdict)

        def shown(share: float, status: str | None) -> None:
            show(share, status)
            if status:
                panel.refresh()

        try:
            yield shown
        finally:
            panel.refresh(now=True)


def _sheet(path: Path) -> Sheet | None:
    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGBA"))
    except OSError:
        return None
    return Sheet(f"Samples at step {int(path.stem):,}", data_uri(pixels if pixels.ndim == 3 else pixels[..., None]))


def _facts(run: Run, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Recipe, images, length; what is there."""
    facts = [str(run.path)]
    try:
        recipe = run.recipe
    except RunError as error:
        return facts if records else [*facts, str(error)]
    size = f" at {size_text(recipe.data.size)}" if recipe.data.size else ""
    facts += [f"recipe {recipe.name}", f"{recipe.data.source}{size}", f"seed {recipe.training.seed}"]
    return facts + ([f"{records[-1]['kimg']:,.1f} kimg"] if records else ["no records yet"])
