from __future__ import annotations

import pytest

from ganglion.doctor.readers.series import MOST_RECORDS, in_order


def test_rows_of_one_step_become_one_record() -> None:
    assert in_order([{"step": 5, "loss_d": 1.0}, {"step": 5, "loss_g": 2.0}]) == [
        {"step": 5, "loss_d": 1.0, "loss_g": 2.0}
    ]


def test_a_log_that_starts_over_keeps_its_last_life() -> None:
    rows = [{"step": step, "life": life} for life, steps in ((1.0, (1, 2, 3, 4)), (2.0, (3, 4, 5))) for step in steps]
    assert [(r["step"], r["life"]) for r in in_order(rows)] == [(1, 1), (2, 1), (3, 2), (4, 2), (5, 2)]


def test_a_long_log_becomes_means_and_loses_no_bad_number() -> None:
    rows = [{"step": i, "loss_d": float(i % 2)} for i in range(1, 10_001)]
    rows[4321]["non_finite"] = {"tensor": "loss of the generator"}  # type: ignore[assignment]
    records = in_order(rows)
    assert len(records) == MOST_RECORDS
    assert records[-1]["step"] == 10_000
    assert sum(r["loss_d"] for r in records) / len(records) == pytest.approx(0.5, abs=0.02)
    assert [r["non_finite"] for r in records if "non_finite" in r] == [
        {"step": 4322, "tensor": "loss of the generator"}
    ]


def test_nothing_is_nothing() -> None:
    assert in_order([]) == []
