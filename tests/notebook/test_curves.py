"""Small charts: every value is where it belongs, and any numbers give a chart or none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from ganglion.notebook.curves import BOTTOM, LEFT, MOST_TICKS, POINTS, TOP, WIDTH, chart_of


def points(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]


def test_a_line_goes_from_corner_to_corner_of_fixed_bounds() -> None:
    chart = chart_of("AUC", [0, 5, 10], {"all": [0.0, 0.5, 1.0]}, (0.0, 1.0))
    assert points(chart.lines[0].points) == [(LEFT, BOTTOM), ((LEFT + WIDTH) / 2, (BOTTOM + TOP) / 2), (WIDTH, TOP)]
    assert [(tick.text, tick.y) for tick in chart.ticks] == [("0", BOTTOM), ("0.5", (BOTTOM + TOP) / 2), ("1", TOP)]
    assert (chart.first, chart.last) == ("0", "10 kimg")
    assert chart.description == "AUC at 10 kimg: all 1"


def test_values_that_are_missing_are_passed_over() -> None:
    chart = chart_of("x", [0, 1, 2, 3], {"a": [1.0, None, float("nan"), 2.0], "b": [None] * 4})
    assert [line.name for line in chart.lines] == ["a"]
    assert [x for x, _ in points(chart.lines[0].points)] == [LEFT, WIDTH]


def test_a_spike_does_not_flatten_the_rest() -> None:
    values = [float(np.sin(i / 10)) for i in range(200)]
    values[100] = 1e6
    heights = [y for _, y in points(chart_of("x", list(range(200)), {"a": values}).lines[0].points)]
    assert min(heights) >= TOP
    assert max(heights) - np.median(heights) > 30


def test_long_series_are_thinned_and_keep_their_ends() -> None:
    chart = chart_of("x", list(range(10_000)), {"a": [float(i) for i in range(10_000)]})
    found = points(chart.lines[0].points)
    assert len(found) == POINTS
    assert (found[0][0], found[-1][0]) == (LEFT, WIDTH)


def test_without_any_number_there_is_no_chart() -> None:
    assert chart_of("x", [], {"a": []}) is None
    assert chart_of("x", [1.0], {"a": [float("inf")]}) is None


def test_a_single_value_can_be_seen() -> None:
    (first, second) = points(chart_of("x", [3.0], {"a": [2.0]}).lines[0].points)
    assert second[0] - first[0] == pytest.approx(4)


@given(some.lists(some.one_of(some.none(), some.floats(-1e9, 1e9), some.floats()), min_size=1, max_size=60))
def test_whatever_the_numbers_points_are_finite_and_inside(values: list[float | None]) -> None:
    clipped = [None if value is None or not abs(value) < 1e12 else value for value in values]
    chart = chart_of("x", list(range(len(values))), {"a": clipped})
    if chart is None:
        assert all(value is None for value in clipped)
        return
    assert 0 <= len(chart.ticks) <= MOST_TICKS
    for x, y in points(chart.lines[0].points):
        assert math.isfinite(x)
        assert LEFT - 2 <= x <= WIDTH + 2
        assert TOP <= y <= BOTTOM
