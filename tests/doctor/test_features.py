from __future__ import annotations

import math

import numpy as np
import pytest

from ganglion.doctor.features import FROM_LOSSES, FROM_VITALS, SMALLEST, Feature, features
from ganglion.doctor.history import History
from made_records import healthy


def records(**columns: list[float]) -> History:
    """One record for each value."""
    length = len(next(iter(columns.values())))
    return History([{"step": n, "kimg": float(n)} | {k: v[n] for k, v in columns.items()} for n in range(length)])


def number(name: str, history: History) -> float:
    table = FROM_VITALS if name in FROM_VITALS else FROM_LOSSES
    return float(features(history, {name: table[name]})[0])


def test_a_size_counts_by_its_logarithm_and_is_shown_as_it_is() -> None:
    history = records(update_g=[8.0] * 20)
    found = number("relative update of G's weights", history)
    assert found == 3
    assert FROM_VITALS["relative update of G's weights"].shown(found) == 8
    assert number("relative update of G's weights", records(update_g=[0.0] * 20)) == math.log2(SMALLEST)


def test_a_share_counts_as_it_is() -> None:
    assert number("AUC of D's logits", records(separation=[0.75] * 20)) == 0.75


def test_growth_is_the_newest_window_over_the_first() -> None:
    history = records(loss_g=[1.0, *[2.0] * 10, *[16.0] * 9])
    assert number("growth of G's loss", history) == 3


def test_the_distance_is_compared_with_the_smallest_so_far() -> None:
    history = records(swd=[*[50.0] * 10, *[200.0] * 10], swd_floor=[100.0] * 20)
    assert number("SWD to the data over its floor", history) == 1
    assert number("SWD to the data over its minimum", history) == 2
    assert number("recent relative decrease of the SWD", history) == pytest.approx(0)


def test_spread_is_the_middle_half_over_the_median() -> None:
    assert number("spread of D's loss", records(loss_d=[2.0, 4.0] * 20)) == pytest.approx(math.log2(2 / 3))


def test_the_severity_is_that_of_the_worst_finding_so_far() -> None:
    history = History(healthy())
    history.worst = 2
    assert features(history, FROM_LOSSES)[list(FROM_LOSSES).index("severity of the worst finding")] == 2


def test_an_update_counts_as_at_the_largest_learning_rate() -> None:
    """So that a schedule that ends does not look like a training that stands still."""
    decayed = records(update_g=[8.0] * 10 + [2.0] * 10, lr_g=[4e-4] * 10 + [1e-4] * 10)
    assert number("relative update of G's weights", decayed) == pytest.approx(3)
    ended = records(update_g=[8.0] * 10 + [0.0] * 10, lr_g=[4e-4] * 10 + [0.0] * 10)
    assert math.isnan(number("relative update of G's weights", ended))


def test_growth_of_a_small_number_is_exact() -> None:
    assert number("growth of D's loss", records(loss_d=[1e-5] * 20)) == pytest.approx(0)


@pytest.mark.parametrize("table", [FROM_VITALS, FROM_LOSSES])
def test_what_records_lack_is_nan_and_nothing_warns(table: dict[str, Feature]) -> None:
    found = features(History([{"step": 1, "kimg": 1.0}]), table)
    assert [name for name, value in zip(table, found, strict=True) if not np.isnan(value)] == [
        "severity of the worst finding",
        "thousands of images",
    ]


def test_of_a_healthy_run_of_made_up_records_most_features_are_known() -> None:
    assert np.isfinite(features(History(healthy()), FROM_VITALS)).mean() > 0.6
