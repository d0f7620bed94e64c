"""Figures: made as Vega-Lite charts with Altair, written as SVG or PNG without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganglion.data.atomic import write_atomically
from ganglion.metrics.scores import SCORES

if TYPE_CHECKING:
    import altair

__all__ = ["curve_figure", "save_figure"]

WIDTH, HEIGHT = 260, 160
COLUMNS = 3


def curve_figure(rows: list[dict[str, float]], floor: dict[str, float], title: str) -> altair.ConcatChart:
    """A small chart for each score over thousands of images; the floor is dashed."""
    import altair

    alt: Any = altair  # its data classes are untyped

    across = alt.X("kimg:Q", title="thousand images")
    charts: list[Any] = []
    for name in (name for name in SCORES if name in rows[0]):
        points = [{"kimg": row["kimg"], "value": row[name]} for row in rows]
        line = alt.Chart(alt.Data(values=points)).mark_line(point=True).encode(
            x=across, y=alt.Y("value:Q", title=name, scale=alt.Scale(zero=False))
        )  # fmt: skip
        rule = alt.Chart(alt.Data(values=[{"floor": floor[name]}])).mark_rule(strokeDash=[4, 4]).encode(y="floor:Q")
        charts.append(
            (line + rule).properties(width=WIDTH, height=HEIGHT, title=f"{name} ({SCORES[name].better} is better)")
        )
    joined: altair.ConcatChart = alt.concat(*charts, columns=COLUMNS).properties(title=title)
    return joined


def save_figure(chart: altair.ConcatChart, path: Path) -> None:
    """Writes SVG or PNG, by the file's ending. Raises StorageError."""
    import vl_convert

    spec = chart.to_dict()
    if path.suffix.lower() == ".svg":
        write_atomically(path, vl_convert.vegalite_to_svg(spec).encode())
    else:
        write_atomically(path, vl_convert.vegalite_to_png(spec, scale=2))
