from __future__ import annotations

import math

import pytest

from ganglion.doctor.numbers import number_of, read_number


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3.0), ("0.5", 0.5), (" 1e-3 ", 1e-3), (-math.inf, -math.inf), ("inf", math.inf), (1e-70, 0.0), ("1e400", math.inf),
        (True, None), (None, None), ("", None), ("x", None), ([1], None), ({"mean": 1}, None), (1e61, None), (-1e300, None),
        (10**5000, None), ("9" * 5000, None), ("-" + "9" * 400, None),
    ],
    ids=range(18),
)  # fmt: skip
def test_what_counts_as_a_number(value: object, number: float | None) -> None:
    assert number_of(value) == number


def test_nan_is_a_number_that_was_measured() -> None:
    assert math.isnan(number_of("nan") or 0)


def test_a_count_that_no_float_holds_is_infinite() -> None:
    assert read_number(10**5000) == read_number("9" * 5000) == math.inf
