from __future__ import annotations

import csv

import numpy as np
import pytest
import vl_convert

from ganglion.report.panels import PANEL_SPECS, compared_panels, panels_of, quantiles
from ganglion.runs.history import RunHistory, Span, run_history
from made_records import healthy


def test_every_chart_of_a_real_run_can_be_drawn(digits_run):
    panels = panels_of(run_history(digits_run))
    names = [panel.name for panel in panels]
    assert len(names) == len(set(names))
    assert {"loss", "logits", "separation", "diversity", "distance", "first-gradient-g", "layers-update-d"} <= set(
        names
    )
    for panel in panels:
        assert vl_convert.vegalite_to_svg(panel.chart.properties(width=300).to_dict()).count('mark"') > 0, panel.name


def test_only_what_was_measured_has_a_chart():
    names = [panel.name for panel in panels_of(RunHistory(healthy(), []))]
    assert "speed" not in names
    assert "earth-mover" not in names
    assert {"loss", "separation", "held-out"} <= set(names)


def test_findings_come_first_where_there_are_any():
    panels = panels_of(RunHistory(healthy(), [Span("stalled", "watch", 1.0, None)]))
    assert panels[0].name == "findings"


def test_losses_by_part_are_shown_where_there_is_more_than_one_part():
    parts = [record | {"loss_d_adversarial": 1.0, "loss_g_adversarial": 1.0} for record in healthy()]
    assert "loss-parts" not in [panel.name for panel in panels_of(RunHistory(parts, []))]
    more = [record | {"loss_d_r1": 0.1} for record in parts]
    assert "loss-parts" in [panel.name for panel in panels_of(RunHistory(more, []))]


def test_no_number_is_drawn_in_two_charts():
    keys = [key for plan in PANEL_SPECS for key in plan.series.values()]
    assert len(keys) == len(set(keys))


def test_points_of_a_histogram_are_those_of_what_was_counted():
    values = np.random.default_rng(0).normal(2.0, 3.0, 100_000)
    counts, edges = np.histogram(values, 200)
    found = quantiles({"low": edges[0], "high": edges[-1]}, counts.tolist())
    assert found == pytest.approx(np.percentile(values, [5, 25, 50, 75, 95]), abs=0.05)


def test_of_compared_runs_each_is_shown_from_its_beginning_to_its_end():
    long = {name: RunHistory([r | {"kimg": 2.0 * i} for i, r in enumerate(healthy(600))], []) for name in ("a", "b")}
    histories = long | {"short": RunHistory([r | {"kimg": 2.0 * i} for i, r in enumerate(healthy(30))], [])}
    panel = next(one for one in compared_panels(histories) if one.name == "swd")
    (table,) = panel.chart.to_dict()["datasets"].values()
    rows = list(csv.DictReader(table.splitlines()))
    for name, count, last in (("a", 300, 1198), ("b", 300, 1198), ("short", 29, 58)):
        at = sorted(float(row["kimg"]) for row in rows if row[name])
        assert (len(at), at[-1]) == (count, last)
        assert max(np.diff(at)) < 10


def test_runs_are_compared_by_what_any_of_them_measured():
    with_speed = [record | {"images_per_sec": 100.0} for record in healthy(20)]
    panels = {p.name: p for p in compared_panels({"a.1": RunHistory(healthy(40), []), "b": RunHistory(with_speed, [])})}
    assert {"swd", "separation", "images-per-sec"} <= set(panels)
    for panel in panels.values():
        assert vl_convert.vegalite_to_svg(panel.chart.properties(width=300).to_dict()).count("line mark") >= 1
