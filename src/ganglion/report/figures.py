"""Every chart and picture of a run's report as files."""

from __future__ import annotations

from pathlib import Path

from ganglion.data.prepare import cache_folder
from ganglion.pictures.figures import save_figure
from ganglion.pictures.sheets import save_image
from ganglion.platform.screen import Screen
from ganglion.report.panels import panels_of
from ganglion.report.report import Gallery, panels_of_run, pictures_of_run
from ganglion.report.watched import is_watched, watched_history
from ganglion.runs.folder import Run
from ganglion.runs.history import run_history

__all__ = ["FORMATS", "write_figures"]

FORMATS = ("svg", "png")
FIGURE_WIDTH = 520


def write_figures(run: str | Path, folder: Path, kind: str = "svg", cache: Path | None = None) -> list[Path]:
    """Every chart of a run's report as SVG or PNG, and every picture as PNG, into `folder`. Returns the files.

    Raises RunError, StorageError.
    """
    opened, written = Run(run), list[Path]()
    if is_watched(opened.path):
        gallery, history = Gallery(), watched_history(opened.path)
        panels = panels_of(history) if history.records else []
    else:
        gallery = pictures_of_run(opened, cache or cache_folder(), Screen())
        panels, _ = panels_of_run(opened, run_history(opened))
    for panel in panels:
        save_figure(panel.chart.properties(width=FIGURE_WIDTH, title=panel.title), folder / f"{panel.name}.{kind}")
        written.append(folder / f"{panel.name}.{kind}")
    for picture in gallery.pictures:
        save_image(picture.pixels, folder / f"{picture.name}.png")
        written.append(folder / f"{picture.name}.png")
    return written
