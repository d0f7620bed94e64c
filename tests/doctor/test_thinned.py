from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.doctor.thinned import THINNED, WHOLE, Thinned


def run(n: int) -> list[dict[str, Any]]:
    return [{"step": 10 * i} for i in range(n)]


def steps(kept: Thinned) -> list[int]:
    return [record["step"] // 10 for record in kept.records]


@pytest.mark.parametrize("n", [0, 1, WHOLE, WHOLE + THINNED])
def test_a_run_of_common_length_is_kept_whole(n: int) -> None:
    assert steps(Thinned(run(n))) == list(range(n))


@given(st.integers(0, 6000))
def test_a_long_run_is_thinned_at_its_old_end_only_and_evenly(n: int) -> None:
    kept = steps(Thinned(run(n)))
    assert kept[-WHOLE:] == list(range(max(0, n - WHOLE), n))
    old = kept[:-WHOLE]
    assert min(n, WHOLE + THINNED) // 2 <= len(kept) <= WHOLE + THINNED
    assert old[:1] in ([], [0])
    assert len({after - before for before, after in pairwise(old)}) <= 1


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
    assert len(Thinned(records).records) <= WHOLE + THINNED
