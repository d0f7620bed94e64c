"""Figures: made as Vega-Lite charts with Altair, written as SVG or PNG without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganglion.data.prepare import cache_folder
from ganglion.metrics.scores import SCORES
from ganglion.pictures.sheets import save_image
from ganglion.platform.files import write_atomically
from ganglion.platform.screen import Screen
from ganglion.report.report import panels_of_run, pictures_of_run
from ganglion.runs.folder import Run
from ganglion.runs.history import run_history

if TYPE_CHECKING:
    import altair

__all__ = ["FORMATS", "curve_figure", "save_figure", "write_figures"]


FORMATS = ("svg", "png")
FIGURE_WIDTH = 520
WIDTH, HEIGHT = 260, 160
COLUMNS = 3


def curve_figure(rows: list[dict[str, float]], floor: dict[str, float], title: str) -> altair.ConcatChart:
    """A small chart for each score over thousands of images; the floor, where there is one, is dashed."""
    import altair

    alt: Any = altair  # its data classes are untyped

    across = alt.X("kimg:Q", title="thousand images")
    charts: list[Any] = []
    for name in (name for name in SCORES if name in rows[0]):
        points = [{"kimg": row["kimg"], "value": row[name]} for row in rows]
        line = alt.Chart(alt.Data(values=points)).mark_line(point=True).encode(
            x=across, y=alt.Y("value:Q", title=name, scale=alt.Scale(zero=False))
        )  # fmt: skip
        if name in floor:
            at = alt.Data(values=[{"floor": floor[name]}])
            line += alt.Chart(at).mark_rule(strokeDash=[4, 4]).encode(y="floor:Q")
        charts.append(line.properties(width=WIDTH, height=HEIGHT, title=f"{name} ({SCORES[name].better} is better)"))
    joined: altair.ConcatChart = alt.concat(*charts, columns=COLUMNS).properties(title=title)
    return joined


def save_figure(chart: altair.TopLevelMixin, path: Path) -> None:
    """Writes SVG or PNG, by the file's ending. Raises StorageError."""
    import vl_convert

    spec = chart.to_dict()
    if path.suffix.lower() == ".svg":
        write_atomically(path, vl_convert.vegalite_to_svg(spec).encode())
    else:
        write_atomically(path, vl_convert.vegalite_to_png(spec, scale=2))


def write_figures(run: str | Path, folder: Path, kind: str = "svg", cache: Path | None = None) -> list[Path]:
    """Every chart of a run's report as SVG or PNG, and every picture as PNG, into `folder`. Returns the files.

    Raises RunError, StorageError.
    """
    here = Run(run)
    gallery = pictures_of_run(here, cache or cache_folder(), Screen())
    panels, _ = panels_of_run(here, run_history(here))
    written = []
    for panel in panels:
        save_figure(panel.chart.properties(width=FIGURE_WIDTH, title=panel.title), folder / f"{panel.name}.{kind}")
        written.append(folder / f"{panel.name}.{kind}")
    for picture in gallery.pictures:
        save_image(picture.pixels, folder / f"{picture.name}.png")
        written.append(folder / f"{picture.name}.png")
    return written
