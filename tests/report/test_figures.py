from __future__ import annotations

from pathlib import Path

from PIL import Image

from ganglion.evaluation.curve import curve_figure
from ganglion.pictures.figures import save_figure

ROWS = [{"step": 10, "kimg": 1.0, "fid": 90.0, "kid": 0.4}, {"step": 20, "kimg": 2.0, "fid": 40.0, "kid": 0.2}]
FLOOR = {"fid": 3.0, "kid": 0.0}


def test_there_is_a_chart_for_each_score_with_its_points_and_its_floor():
    charts = curve_figure(ROWS, FLOOR, "a run").to_dict()["concat"]
    assert [chart["title"] for chart in charts] == ["fid (lower is better)", "kid (lower is better)"]
    line, rule = charts[0]["layer"]
    assert line["data"]["values"] == [{"kimg": 1.0, "value": 90.0}, {"kimg": 2.0, "value": 40.0}]
    assert rule["data"]["values"] == [{"floor": 3.0}]


def test_a_score_without_a_floor_has_a_chart_without_one():
    fid, kid = curve_figure(ROWS, {"kid": 0.0}, "a run").to_dict()["concat"]
    assert "layer" not in fid
    assert len(kid["layer"]) == 2


def test_it_is_written_as_svg_and_as_png(tmp_path: Path) -> None:
    chart = curve_figure(ROWS, FLOOR, "a run")
    save_figure(chart, tmp_path / "a.svg")
    save_figure(chart, tmp_path / "a.png")
    assert "a run" in (tmp_path / "a.svg").read_text(encoding="utf-8")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 400
