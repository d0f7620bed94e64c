"""Charts over thousands of images, as Vega-Lite by Altair: lines, distributions, spans. Independent of the record's keys.

All have the parameters `from_kimg` and `to_kimg`, by which a page sets a common time axis, and a brush `zoom`.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganglion.report.bands import Band
from ganglion.runs.history import Span

if TYPE_CHECKING:
    import altair

__all__ = ["FAN", "POINTS", "Frame", "Scale", "Table", "fan_column", "fans", "lines", "spans_chart", "unchecked"]


POINTS = 300  # maximum number of records on a line
DIGITS = 5
HEIGHT = 190
FAN = 5, 25, 50, 75, 95
"""Per cent."""

LOOKALIKES = str.maketrans({".": "\u2024", "'": "\u2019", '"': "\u2033", "[": "(", "]": ")", "\\": "/"})
"""Vega parses column names as paths into objects, in which these characters are special."""

Scale = str
"""linear, log or symlog."""
MORE_OF_SCALE: dict[Scale, dict[str, Any]] = {"linear": {"zero": False}, "symlog": {"constant": 0.01}}
"""Further settings of a scale, as in charts.js: a symlog axis is linear below its constant and logarithmic above it."""

Table = list[dict[str, Any]]
"""Rows with `kimg` and one column per series; None for missing values."""


@dataclass(frozen=True)
class Frame:
    """Settings common to all charts of a page."""

    kimg: float
    """End of the time axis."""
    spans: Sequence[Span] = ()


def lines(
    table: Table,
    series: Sequence[str],
    frame: Frame,
    title: str,
    scale: Scale = "linear",
    bands: Mapping[str, Band] | None = None,
    legend: bool = True,
    most: int = POINTS,
) -> altair.LayerChart:
    """A line per series of the table, healthy bands behind them, and marks where findings were raised and cleared.

    On a logarithmic scale, values that are not positive are left out.
    """
    alt = _altair()
    named = {name: name.translate(LOOKALIKES) for name in series}
    rows = [
        {"kimg": row["kimg"]} | {shown: _fitting(row.get(name), scale) for name, shown in named.items()}
        for row in thinned(table, most)
    ]
    bands = {named[name]: band for name, band in (bands or {}).items()}
    series = list(named.values())
    colour = _colour(series, legend)
    alone = any(sum(row[name] is not None for row in rows) == 1 for name in series)  # a line of one value has no length
    line = (
        alt.Chart()
        .transform_fold(list(series), as_=["series", "value"])
        .transform_filter("isValid(datum.value)")
        .mark_line(clip=True, interpolate="linear", strokeWidth=1.6, point=alone)
        .encode(x=_x(), y=_y("value", title, scale), color=colour)
    )
    layers = [*_bands(bands, series, scale, title, colour), *_marks(frame), line, _hover(["kimg", *series])]
    chart: altair.LayerChart = _layers(layers, frame, _data(["kimg", *series], rows))
    return chart


def fans(
    table: Table, series: Sequence[str], frame: Frame, title: str, bands: Mapping[str, Band] | None = None
) -> altair.LayerChart:
    """Distributions over time: the table has the 5, 25, 50, 75 and 95 % points of each series as columns, by `fan_column`."""
    alt = _altair()
    colour = _colour(series)
    columns = {share: [fan_column(name, share) for name in series] for share in FAN}
    areas = [
        alt.Chart()
        .mark_area(opacity=opacity, clip=True)
        .encode(x=_x(), y=_y(low, title), y2=f"{high}:Q", color=alt.ColorDatum(name, type="nominal"))
        for opacity, below, above in ((0.18, 5, 95), (0.3, 25, 75))
        for name, low, high in zip(series, columns[below], columns[above], strict=True)
    ]
    median = (
        alt.Chart()
        .transform_fold(columns[50], as_=["column", "value"])
        .transform_calculate(series="split(datum.column, ',')[0]")
        .mark_line(clip=True, strokeWidth=1.6)
        .encode(x=_x(), y=_y("value", title), color=colour)
    )
    names = ["kimg", *(column for share in FAN for column in columns[share])]
    behind = [*_bands(bands or {}, series, "linear", title, colour), *_marks(frame)]
    chart: altair.LayerChart = _layers([*behind, *areas, median, _hover(names)], frame, _data(names, thinned(table)))
    return chart


def fan_column(name: str, share: int) -> str:
    """The column of a series' `share` % quantile."""
    return f"{name}, {share} %"


def spans_chart(frame: Frame) -> altair.LayerChart:
    """A bar per finding from raised to cleared."""
    alt = _altair()
    rows = [
        {
            "finding": span.code, "severity": span.severity, "kimg": span.raised_kimg,
            "until": frame.kimg if span.cleared_kimg is None else span.cleared_kimg,
        }
        for span in frame.spans
    ]  # fmt: skip
    bars = alt.Chart().mark_bar(clip=True, height=9).encode(
        x=_x(), x2="until:Q", y=alt.Y("finding:N", title=None, sort=None, axis=alt.Axis(labelLimit=220)),
        color=alt.Color("severity:N", scale=alt.Scale(domain=["watch", "failing"], range=["#e0a100", "#d43d3d"]),
                        legend=None),
        tooltip=["finding:N", "severity:N", alt.Tooltip("kimg:Q", format=",.4~g", title="raised (kimg)"),
                 alt.Tooltip("until:Q", format=",.4~g", title="until (kimg)")],
    )  # fmt: skip
    brush = alt.selection_interval(name="zoom", encodings=["x"])
    layered: altair.LayerChart = _layers(
        [bars.add_params(brush)], frame, _data(["finding", "severity", "kimg", "until"], rows)
    )
    layered.height = max(40, 18 * len({span.code for span in frame.spans}))
    return layered


@contextmanager
def unchecked() -> Iterator[None]:
    """Context in which Altair does not hold each part of a chart against Vega-Lite's schema, which takes half of its time.

    The tests do.
    """
    from altair.utils import schemapi

    with schemapi.debug_mode(False):
        yield


def thinned(rows: Sequence[Any], most: int = POINTS) -> list[Any]:
    """At most `most` rows, evenly spaced, including the first and the last."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most)]


def _altair() -> Any:
    import altair

    return altair  # its data classes are untyped


def _x() -> Any:
    alt = _altair()
    scale = alt.Scale(domainMin=alt.ExprRef("from_kimg"), domainMax=alt.ExprRef("to_kimg"), nice=False, zero=False)
    return alt.X("kimg:Q", title="thousand images", scale=scale)


def _y(field: str, title: str, scale: Scale = "linear") -> Any:
    alt = _altair()
    return alt.Y(f"{field}:Q", title=title, scale=alt.Scale(type=scale, **MORE_OF_SCALE.get(scale, {})))


def _colour(series: Sequence[str], legend: bool = True) -> Any:
    """A fixed colour per series; the palette is the page's."""
    alt = _altair()
    line = {
        "symbolType": "stroke",
        "symbolOpacity": 1,
        "symbolStrokeWidth": 2,
    }  # bands behind would make it a pale disc
    legends = legend and len(series) > 1
    shown = alt.Legend(title=None, orient="top", columns=2, labelLimit=240, **line) if legends else None
    return alt.Color("series:N", scale=alt.Scale(domain=list(series)), legend=shown)


def _bands(bands: Mapping[str, Band], series: Sequence[str], scale: Scale, title: str, colour: Any) -> list[Any]:
    """The healthy bands behind the lines of the same names."""
    alt = _altair()
    rows = [
        {"kimg": k, "series": name, "low": low, "high": high}
        for name in series
        if name in bands
        for k, low, high in zip(bands[name].kimg, bands[name].low, bands[name].high, strict=True)
        if scale != "log" or low > 0
    ]
    if not rows:
        return []
    area = alt.Chart(_data(["kimg", "series", "low", "high"], rows)).mark_area(opacity=0.14, clip=True)
    return [area.encode(x=_x(), y=_y("low", title, scale), y2="high:Q", color=colour)]


def _marks(frame: Frame) -> list[Any]:
    """A vertical line where a finding was raised, a green one where it was cleared."""
    alt = _altair()
    rows = [{"kimg": span.raised_kimg, "what": f"raised: {span.code}", "kind": span.severity} for span in frame.spans]
    rows += [
        {"kimg": span.cleared_kimg, "what": f"cleared: {span.code}", "kind": "cleared"}
        for span in frame.spans
        if span.cleared_kimg is not None
    ]
    if not rows:
        return []
    rule = alt.Chart(_data(["kimg", "what", "kind"], rows)).mark_rule(clip=True, strokeDash=[3, 3], opacity=0.75)
    colours = {"watch": "#e0a100", "failing": "#d43d3d", "cleared": "#2e9e5b"}
    chosen = alt.Stroke("kind:N", scale=alt.Scale(domain=list(colours), range=list(colours.values())), legend=None)
    return [rule.encode(x=_x(), stroke=chosen, tooltip=[alt.Tooltip("what:N", title="finding"), "kimg:Q"])]


def _hover(columns: Sequence[str]) -> Any:
    """A vertical line under the pointer with a tooltip of all values, and the brush."""
    alt = _altair()
    near = alt.selection_point(
        name="near", fields=["kimg"], nearest=True, on="pointerover", clear="pointerout", empty=False
    )
    brush = alt.selection_interval(name="zoom", encodings=["x"])
    return alt.Chart().mark_rule(clip=True, color="#888").encode(
        x=_x(), opacity=alt.condition(near, alt.value(0.5), alt.value(0)), tooltip=[_tooltip(name) for name in columns]
    ).add_params(near, brush)  # fmt: skip


def _tooltip(name: str) -> Any:
    title = "thousand images" if name == "kimg" else name
    return _altair().Tooltip(name, type="quantitative", format=",.4~g", title=title)


def _layers(layers: Sequence[Any], frame: Frame, data: Any) -> Any:
    alt = _altair()
    bounds = alt.param(name="from_kimg", value=0), alt.param(name="to_kimg", value=frame.kimg)
    first, *rest = layers  # each method of a layered chart copies it whole, so that all is said when it is made
    independent = alt.Resolve(scale=alt.ScaleResolveMap(stroke="independent"))
    return alt.layer(first.add_params(*bounds), *rest, data=data, resolve=independent, width="container", height=HEIGHT)


def _fitting(value: Any, scale: Scale) -> Any:
    if value is None or not math.isfinite(value) or (scale == "log" and value <= 0):
        return None
    return value


def _data(columns: Sequence[str], rows: Table) -> Any:
    """Rows as CSV, a third of the size of JSON."""
    alt = _altair()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    parse = {name: "string" if name in TEXTS else "number" for name in columns}
    return alt.InlineData(values=text.getvalue(), format=alt.CsvDataFormat(type="csv", parse=parse))


TEXTS = {"series", "finding", "severity", "what", "kind"}


def _cell(value: Any) -> Any:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else "" if value is None else value
