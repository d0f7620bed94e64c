from __future__ import annotations

import csv
import io
import re
from itertools import pairwise
from typing import Any

import pytest
import vl_convert

from ganglion.report.bands import Band
from ganglion.report.charts import POINTS, Frame, fan_column, fans, lines, spans_chart, thinned
from ganglion.runs.history import Span

FRAME = Frame(100.0, [Span("stalled", "watch", 20.0, 60.0), Span("mode-collapse", "failing", 40.0, None)])
TABLE = [{"kimg": float(kimg), "D": 1.0 + kimg, "G": 0.0 if kimg == 50 else 2.0 * kimg + 1} for kimg in range(101)]


def rows(spec: dict[str, Any], data: dict[str, Any] | None = None) -> list[dict[str, str]]:
    """Of the whole chart, or of one layer's data."""
    return list(csv.DictReader(io.StringIO(spec["datasets"][(data or spec["data"])["name"]])))


def drawn(chart: Any) -> str:
    """As SVG, drawn by Vega itself: a chart that it cannot draw fails here."""
    return vl_convert.vegalite_to_svg(chart.properties(width=300).to_dict())


def test_a_line_has_the_tables_numbers():
    spec = lines(TABLE, ["D", "G"], FRAME, "loss").to_dict()
    assert [(float(row["kimg"]), float(row["D"]), float(row["G"])) for row in rows(spec)] == [
        (row["kimg"], row["D"], row["G"]) for row in TABLE
    ]


def test_a_logarithmic_scale_leaves_out_what_is_not_positive():
    spec = lines(TABLE, ["D", "G"], FRAME, "loss", "log").to_dict()
    assert [row["kimg"] for row in rows(spec) if not row["G"]] == ["50"]
    assert spec["layer"][-2]["encoding"]["y"]["scale"] == {"type": "log"}


def test_every_series_is_drawn_in_a_colour_of_its_own():
    svg = drawn(lines(TABLE, ["D", "G"], Frame(100.0), "loss"))
    strokes = re.findall(r'aria-roledescription="line mark"[^>]*stroke="([^"]+)"', svg)
    assert len(strokes) == len(set(strokes)) == 2


def test_a_single_value_is_drawn_as_a_point():
    """A short run has one snapshot, and a line of one value cannot be seen."""
    once = [{"kimg": float(kimg), "score": 3.0 if kimg == 10 else None} for kimg in range(11)]
    assert 'aria-roledescription="point"' in drawn(lines(once, ["score"], Frame(10.0), "score"))
    assert 'aria-roledescription="point"' not in drawn(lines(TABLE, ["D"], Frame(100.0), "loss"))


@pytest.mark.parametrize("name", ["blocks.0.convolution", "D's", 'a "b"', "x[0]", "a\\b"])
def test_a_name_may_hold_what_means_something_to_vega(name: str) -> None:
    table = [{"kimg": float(kimg), name: float(kimg)} for kimg in range(10)]
    assert drawn(lines(table, [name], Frame(9.0), "loss")).count('aria-roledescription="line mark"') == 1


def test_findings_are_marked_where_they_were_raised_and_cleared():
    spec = lines(TABLE, ["D"], FRAME, "loss").to_dict()
    marks = next(rows(spec, layer["data"]) for layer in spec["layer"] if "data" in layer)
    assert {(row["what"], float(row["kimg"])) for row in marks} == {
        ("raised: stalled", 20.0), ("cleared: stalled", 60.0), ("raised: mode-collapse", 40.0)
    }  # fmt: skip


def test_healthy_bands_lie_behind_the_lines_of_the_same_name():
    band = Band([1.0, 10.0, 100.0], [0.0, 1.0, 2.0], [3.0, 4.0, 5.0])
    spec = lines(TABLE, ["D", "G"], Frame(100.0), "loss", bands={"G": band}).to_dict()
    assert [(row["series"], row["low"], row["high"]) for row in rows(spec, spec["layer"][0]["data"])] == [
        ("G", "0", "3"), ("G", "1", "4"), ("G", "2", "5")
    ]  # fmt: skip
    assert spec["layer"][0]["mark"]["type"] == "area"


def test_a_long_run_is_thinned_evenly_and_keeps_its_ends():
    kept = thinned(list(range(10_000)))
    assert (len(kept), kept[0], kept[-1]) == (POINTS, 0, 9_999)
    assert {b - a for a, b in pairwise(kept)} <= {33, 34}
    assert thinned([1, 2, 3]) == [1, 2, 3]


def test_a_fan_draws_two_areas_and_a_median_for_each_series():
    shares = (5, 25, 50, 75, 95)
    table = [
        {"kimg": float(kimg)} | {fan_column(name, share): share / 100 + kimg for name in "ab" for share in shares}
        for kimg in range(10)
    ]
    svg = drawn(fans(table, ["a", "b"], Frame(9.0), "logit"))
    assert svg.count('aria-roledescription="area mark"') == 4
    assert svg.count('aria-roledescription="line mark"') == 2


def test_spans_last_to_the_end_where_they_still_stand():
    spec = spans_chart(FRAME).to_dict()
    assert [(row["finding"], float(row["kimg"]), float(row["until"])) for row in rows(spec)] == [
        ("stalled", 20.0, 60.0), ("mode-collapse", 40.0, 100.0)
    ]  # fmt: skip
    assert drawn(spans_chart(FRAME)).count('aria-roledescription="bar"') == 2


def test_all_charts_share_the_parameters_of_the_time_axis():
    for chart in (lines(TABLE, ["D"], FRAME, "loss"), spans_chart(FRAME)):
        parameters = {one["name"]: one.get("value") for one in chart.to_dict()["params"]}
        assert parameters["from_kimg"] == 0
        assert parameters["to_kimg"] == 100.0
        assert "zoom" in parameters
