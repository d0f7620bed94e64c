from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.doctor.history import EVEN, SCORED, History, Thinned, lasting_suffix, running_median


def run(n: int) -> list[dict[str, Any]]:
    return [{"step": 10 * i} for i in range(n)]


def steps(kept: Thinned) -> list[int]:
    return [record["step"] // 10 for record in kept.records]


@pytest.mark.parametrize("n", [0, 1, EVEN])
def test_a_run_of_common_length_is_kept_whole(n: int) -> None:
    assert steps(Thinned(run(n))) == list(range(n))


@given(st.integers(0, 6000))
def test_a_long_run_is_thinned_evenly_up_to_its_newest_record(n: int) -> None:
    kept = steps(Thinned(run(n)))
    assert min(n, EVEN) // 2 <= len(kept) <= EVEN + 1
    assert kept[-1:] == list(range(n))[-1:]
    assert kept[:1] in ([], [0])
    spaces = [after - before for before, after in pairwise(kept)]
    assert len(set(spaces[:-1])) <= 1
    assert not spaces or spaces[-1] <= spaces[0]


def test_a_share_of_what_is_kept_is_that_share_of_the_run() -> None:
    kept = History(Thinned(run(5000)).records)
    assert kept.steps[-kept.window] == pytest.approx(0.85 * 50_000, rel=0.01)


def test_snapshots_are_kept_wherever_they_fall() -> None:
    records = run(4000)
    for i in range(3, 4000, 40):
        records[i]["relative_distance"] = 0.5
    found = [record["step"] for record in Thinned(records).records if "relative_distance" in record]
    assert found == [10 * i for i in range(3, 4000, 40)]


def test_what_a_longer_run_keeps_a_shorter_one_has_kept() -> None:
    kept, before = Thinned(), set()
    for record in run(3000):
        kept.add(record)
        now = set(steps(kept))
        assert now <= before | {record["step"] // 10}
        before = now


@pytest.mark.parametrize("step", [None, True, -1, 1.0, "3", 2**63, 10**400, float("nan")])
def test_a_record_without_a_step_is_none(step: object) -> None:
    assert Thinned([{"step": step, "loss_d": 1.0}, {"loss_d": 1.0}]).records == []


def test_the_first_bad_number_stays() -> None:
    records = run(2000)
    records[77]["non_finite"], records[79]["non_finite"] = {"step": 765}, {"step": 785}
    assert 77 in steps(Thinned(records))
    assert 79 not in steps(Thinned(records))
    assert len(Thinned(records).records) <= EVEN + SCORED + 2


def history(n: int, **columns: Callable[[int], Any]) -> History:
    """n records with these columns, each a function of the record's place."""
    return History([{"step": 10 * i, "kimg": 0.5 * i, **{key: of(i) for key, of in columns.items()}} for i in range(n)])


def test_a_column_has_a_number_for_each_record_and_nan_where_there_is_none() -> None:
    found = history(4, a=lambda i: float(i) if i != 2 else None, word=lambda i: "x", flag=lambda i: True)
    assert np.array_equal(found["a"], [0, 1, np.nan, 3], equal_nan=True)
    assert np.isnan(found["word"]).all()
    assert np.isnan(found["flag"]).all()
    assert np.isnan(found["nothing"]).all()


def test_a_part_is_a_place_in_a_list() -> None:
    found = history(3, span=lambda i: [-i, i] if i else None)
    assert np.array_equal(found.part("span", 1), [np.nan, 1, 2], equal_nan=True)
    assert np.isnan(found.part("span", 7)).all()


def test_the_newest_number_is_given_whatever_else_stands_there() -> None:
    found = history(5, rare=lambda i: float(i) if i == 2 else "x")
    assert found.last("rare") == 2
    assert math.isnan(found.last("never"))


@pytest.mark.parametrize(("n", "window"), [(1, 5), (33, 5), (34, 6), (100, 15)])
def test_a_window_is_five_records_or_a_seventh_of_the_run(n: int, window: int) -> None:
    assert history(n).window == window


def test_a_window_spans_2500_images_however_often_records_are_made() -> None:
    assert History([{"step": i, "kimg": 0.01 * i} for i in range(400)]).window in (250, 251)  # 1.49 + 2.5 is rounded
    assert History([{"step": i} for i in range(200)]).window == 79  # without a count of images, batches of 32


def test_medians_of_windows_leave_out_what_was_not_measured() -> None:
    found = history(20, a=lambda i: None if i % 2 else float(i))
    assert found.recent("a") == 17
    assert found.early("a") == 3
    assert math.isnan(found.recent("b"))


def test_a_state_lasts_when_it_has_held_for_a_window_to_the_end() -> None:
    found = history(20)
    state = np.zeros(20, bool)
    state[15:] = True
    assert found.lasting_since(state) == 15
    state[15] = False
    assert found.lasting_since(state) is None
    state[10:] = True
    state[12] = False  # one exception in five
    assert found.lasting_since(state) == 10
    state[-1] = False
    assert found.lasting_since(state) is None


@given(st.lists(st.booleans(), max_size=60))
def test_from_where_a_state_holds_it_holds_for_most_of_the_way(values: list[bool]) -> None:
    state = np.array(values, bool)
    begin = lasting_suffix(state)
    if begin is None:
        assert not len(state) or not state[-1]
    else:
        assert state[begin]
        assert state[begin:].mean() >= 0.8


def test_smoothing_is_the_median_of_neighbours() -> None:
    assert running_median(np.array([1.0, 100.0, 2.0, 3.0]), 3).tolist() == [50.5, 2, 3, 2.5]


@pytest.mark.parametrize(("records", "kimg", "window"), [(60, 96.0, 9), (60, 10.0, 15), (60, 3.0, 50), (10, 100.0, 5)])
def test_a_state_has_to_last_for_so_many_images_however_close_records_are(
    records: int, kimg: float, window: int
) -> None:
    made = [{"step": i, "kimg": kimg * (i + 1) / records} for i in range(records)]
    assert History(made).window == window
