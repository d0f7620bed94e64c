from __future__ import annotations

import math

import pytest

from ganglion.doctor.history import History
from ganglion.doctor.progress import FIRST_STEPS, harm, improvement, improving, not_converging


def history(swd: list[float], steps: int = 50) -> History:
    return History(
        [{"step": steps * n, "kimg": 1.6 * n, "swd": value, "swd_floor": 1.0} for n, value in enumerate(swd)]
    )


FALLING, LEVEL = [20 * 0.95**n for n in range(40)], [20 + math.sin(n) for n in range(40)]


def test_the_improvement_is_that_of_the_last_two_windows_over_the_smallest_before() -> None:
    assert history(FALLING).window == 6
    before, lately = (
        FALLING[26],
        FALLING[38],
    )  # running medians of three, so that the last ends one record before the end
    assert improvement(history(FALLING)) == pytest.approx(1 - lately / before, abs=0.03)
    assert improvement(history(LEVEL)) == pytest.approx(0, abs=0.02)
    assert math.isnan(improvement(history(FALLING[:5])))


def test_a_single_good_record_is_no_improvement() -> None:
    assert improvement(history([*LEVEL[:35], 5.0, *LEVEL[36:]])) == pytest.approx(0, abs=0.03)


def test_a_run_improves_while_it_was_lately_nearer_than_ever() -> None:
    assert improving(history(FALLING))
    assert not improving(history(LEVEL))
    stopped = [*FALLING[:20], *[FALLING[20]] * 20]
    states = [improving(history(stopped[:n])) for n in range(15, 41)]
    assert all(states[:15])
    assert not any(states[-5:])


def test_a_run_that_has_hardly_begun_improves() -> None:
    assert improving(history(LEVEL, steps=FIRST_STEPS // 40))
    assert not improving(history(LEVEL, steps=FIRST_STEPS // 39 + 1))


def test_a_run_does_not_converge_where_noise_hides_that_nothing_gets_better() -> None:
    noisy = [*[20.0] * 27, *[22.0] * 6, *[20.0] * 7]  # falls from window to window, and is where it was
    assert not_converging(history(noisy), poor=3.0, windows=12.0)
    assert not not_converging(history(FALLING), poor=3.0, windows=12.0)
    assert not not_converging(history([value / 10 for value in LEVEL]), poor=3.0, windows=12.0)


def test_a_mistake_is_failing_only_where_samples_are_far_and_do_not_improve_or_were_not_seen() -> None:
    assert harm(history(LEVEL)) == "failing"
    assert harm(history(FALLING)) == "watch"
    assert harm(history([1.1] * 40)) == "watch"
    assert harm(History([{"step": n, "kimg": 1.0 * n} for n in range(40)])) == "failing"
