from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.doctor.chart import Chart, longest_end, smoothed


def chart(n: int, **columns: Callable[[int], Any]) -> Chart:
    """n records with these columns, each a function of the record's place."""
    return Chart([{"step": 10 * i, "kimg": 0.5 * i, **{key: of(i) for key, of in columns.items()}} for i in range(n)])


def test_a_column_has_a_number_for_each_record_and_nan_where_there_is_none() -> None:
    found = chart(4, a=lambda i: float(i) if i != 2 else None, word=lambda i: "x", flag=lambda i: True)
    assert np.array_equal(found["a"], [0, 1, np.nan, 3], equal_nan=True)
    assert np.isnan(found["word"]).all()
    assert np.isnan(found["flag"]).all()
    assert np.isnan(found["nothing"]).all()


def test_a_part_is_a_place_in_a_list() -> None:
    found = chart(3, span=lambda i: [-i, i] if i else None)
    assert np.array_equal(found.part("span", 1), [np.nan, 1, 2], equal_nan=True)
    assert np.isnan(found.part("span", 7)).all()


def test_the_newest_number_is_given_whatever_else_stands_there() -> None:
    found = chart(5, rare=lambda i: float(i) if i == 2 else "x")
    assert found.last("rare") == 2
    assert math.isnan(found.last("never"))


@pytest.mark.parametrize(("n", "window"), [(1, 5), (33, 5), (34, 6), (100, 15)])
def test_a_window_is_five_records_or_a_seventh_of_the_run(n: int, window: int) -> None:
    assert chart(n).window == window


def test_a_window_spans_a_thousand_images_however_often_records_are_made() -> None:
    assert Chart([{"step": i, "kimg": 0.01 * i} for i in range(200)]).window == 100
    assert Chart([{"step": i} for i in range(200)]).window == 32  # without a count of images, batches of 32


def test_medians_of_windows_leave_out_what_was_not_measured() -> None:
    found = chart(20, a=lambda i: None if i % 2 else float(i))
    assert found.recent("a") == 17
    assert found.early("a") == 3
    assert math.isnan(found.recent("b"))


def test_a_state_lasts_when_it_has_held_for_a_window_to_the_end() -> None:
    found = chart(20)
    state = np.zeros(20, bool)
    state[15:] = True
    assert found.lasts(state) == 15
    state[15] = False
    assert found.lasts(state) is None
    state[10:] = True
    state[12] = False  # one exception in five
    assert found.lasts(state) == 10
    state[-1] = False
    assert found.lasts(state) is None


@given(st.lists(st.booleans(), max_size=60))
def test_from_where_a_state_holds_it_holds_for_most_of_the_way(values: list[bool]) -> None:
    state = np.array(values, bool)
    begin = longest_end(state)
    if begin is None:
        assert not len(state) or not state[-1]
    else:
        assert state[begin]
        assert state[begin:].mean() >= 0.8


def test_smoothing_is_the_median_of_neighbours() -> None:
    assert smoothed(np.array([1.0, 100.0, 2.0, 3.0]), 3).tolist() == [50.5, 2, 3, 2.5]
