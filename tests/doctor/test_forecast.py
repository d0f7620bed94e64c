"""What is said of the samples and of a longer run, from curves of which the answer is known, and from stored runs."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from ganglion.doctor.examine import examine
from ganglion.doctor.forecast import FURTHEST, GOAL, Forecast, forecast
from ganglion.doctor.history import History
from made_records import SICK, healthy
from stored_records import CASES

IMAGES_PER_SEC = 50.0
Curve = Callable[[float], float]


def records(
    curve: Curve, kimg: float = 16.0, snapshots: int = 8, noise: float = 0.0, seed: int = 0
) -> list[dict[str, Any]]:
    """A healthy run's records, of which every fifth is a snapshot; `curve` of thousand images."""
    dice, many = random.Random(seed), 5 * snapshots
    made = [record | {"kimg": kimg * i / many, "step": 10 * i} for i, record in enumerate(healthy(many + 1))]
    for i, record in enumerate(made):
        record["seconds"] = record["kimg"] * 1000 / IMAGES_PER_SEC
        if i and i % 5 == 0:
            record["relative_distance"] = curve(record["kimg"]) * math.exp(noise * dice.gauss(0, 1))
    return made


def power(level: float, slope: float) -> Curve:
    """`level` at 16 kimg."""
    return lambda kimg: level * (kimg / 16) ** slope


def found(curve: Curve, **more: Any) -> Forecast:
    result = forecast(History(records(curve, **more)))
    assert result is not None
    return result


@pytest.mark.parametrize("slope", [-0.5, -1.0])
def test_a_falling_curve_reaches_the_goal_when_it_does(slope: float) -> None:
    result = found(power(0.13, slope))
    expected = 16 * ((GOAL / 0.13) ** (1 / slope) - 1)
    assert (result.trend, result.done, result.relative_distance) == ("falling", False, 0.13)
    assert result.more_kimg == pytest.approx(expected, rel=1e-6)
    assert result.more_minutes == pytest.approx(expected * 1000 / IMAGES_PER_SEC / 60, rel=1e-6)
    assert result.more_minutes_range == pytest.approx((result.more_minutes, result.more_minutes), rel=1e-5)


def test_with_noise_the_interval_holds_what_is_true_about_as_often_as_it_says() -> None:
    """Eighty per cent, of those that are seen to fall."""
    expected, held = 16 * ((GOAL / 0.13) ** (1 / -0.8) - 1) * 1000 / IMAGES_PER_SEC / 60, []
    for seed in range(300):
        result = found(power(0.13, -0.8), noise=0.05, seed=seed)
        if result.more_minutes_range:
            low, high = result.more_minutes_range
            held.append(low <= expected <= (math.inf if high is None else high))
    assert len(held) > 290
    assert 0.75 < np.mean(held) <= 0.95


def test_a_flat_curve_is_no_reason_to_go_on() -> None:
    result = found(lambda kimg: 0.8)
    assert (result.trend, result.more_minutes) == ("flat", None)
    assert "longer run alone is not expected to help" in result.text()


def test_a_rising_curve_says_to_stop() -> None:
    result = found(power(0.13, 0.6), noise=0.02)
    assert (result.trend, result.more_minutes) == ("rising", None)
    assert "best checkpoint is kept" in result.text()


def test_a_noisy_level_is_never_called_falling_for_long() -> None:
    trends = [found(lambda kimg: 0.8, noise=0.05, seed=seed).trend for seed in range(200)]
    assert trends.count("falling") < 30  # a tenth by the interval
    assert trends.count("rising") < 30


def test_a_slow_fall_has_no_date() -> None:
    result = found(power(0.9, -0.1))
    assert (result.trend, result.more_kimg) == ("falling", None)
    assert f"{FURTHEST:g} times the images" in result.text()


@pytest.mark.parametrize("snapshots", [1, 2, 3])
def test_of_few_snapshots_the_value_is_said_and_no_trend(snapshots: int) -> None:
    result = found(power(0.13, -1), snapshots=snapshots)
    assert (result.relative_distance, result.trend, result.more_minutes) == (0.13, "unclear", None)


def test_at_the_goal_it_is_done_though_one_value_is_not_enough() -> None:
    assert found(power(0.04, 0.0)).done
    falling = found(power(0.045, -0.5))
    assert not falling.done
    assert "The goal is reached, and a longer run still improves the samples" in falling.text()
    late = records(power(0.16, -0.01))
    late[-1]["relative_distance"] = 0.04
    assert not forecast(History(late)).done  # type: ignore[union-attr]


@pytest.mark.parametrize("newest", [0.105, 0.095])
def test_a_median_at_the_goal_is_called_reached_whatever_the_newest_value_is(newest: float) -> None:
    made = records(power(0.1, -1.2), snapshots=10)
    made[-1]["relative_distance"], made[-6]["relative_distance"], made[-11]["relative_distance"] = newest, 0.085, 0.098
    result = forecast(History(made))
    assert result is not None
    assert (result.trend, result.reached, result.done) == ("falling", True, False)
    assert "The goal is reached, and a longer run still improves the samples" in result.text()


def test_one_value_at_the_goal_does_not_reach_it() -> None:
    made = records(power(0.13, -1.0), snapshots=10)
    made[-1]["relative_distance"] = 0.095
    result = forecast(History(made))
    assert result is not None
    assert (result.trend, result.reached) == ("falling", False)
    assert "more at this pace" in result.text()
    assert "more" in result.short


def test_values_at_and_below_0_are_noise_around_it() -> None:
    result = found(lambda kimg: -0.01)
    assert result.done
    assert math.isfinite(result.relative_distance)


def test_without_a_snapshot_or_a_clock_nothing_is_invented() -> None:
    assert forecast(History(healthy())) is None
    timeless = [{key: value for key, value in r.items() if key != "seconds"} for r in records(power(0.13, -1))]
    result = forecast(History(timeless))
    assert result is not None
    assert result.more_kimg is not None
    assert (result.more_minutes, result.more_minutes_range, result.minutes) == (None, None, None)


# In words


def test_a_healthy_verdict_says_that_the_samples_are_not_good_yet() -> None:
    verdict = examine(records(power(0.13, -0.6)))
    assert verdict.state == "healthy"
    assert verdict.status.startswith("healthy, not done: relative distance 0.13, still falling, about ")
    first, second = verdict.text().splitlines()[:2]
    assert first.startswith("Verdict healthy, not done: ")
    assert second.startswith(
        "Samples: relative distance 0.13 (0: as other real images; 1: as a Gaussian of the pixels;"
    )
    minutes = 16_000 / IMAGES_PER_SEC / 60
    assert verdict.forecast is not None
    total = math.ceil(minutes + (verdict.forecast.more_minutes or 0))
    assert f": --minutes {total}." in second


def test_nor_does_it_stand_alone_where_samples_were_not_measured() -> None:
    text = examine(healthy()).text().splitlines()[0]
    assert re.fullmatch(
        r"Verdict healthy: no findings at step [\d,]+; how good the samples are is another question", text
    )


def test_at_the_goal_it_says_done() -> None:
    verdict = examine(records(power(0.04, 0.0)))
    assert verdict.status == "healthy, done: relative distance 0.04"
    assert verdict.text().startswith("Verdict healthy, done: ")
    assert "The goal is reached." in verdict.text()


def test_of_a_failing_run_no_duration_is_said() -> None:
    sick = [
        record | {"relative_distance": 0.9 - 0.01 * i, "seconds": 10.0 * i}
        for i, record in enumerate(SICK["mode-collapse"])
    ]
    verdict = examine(sick)
    assert verdict.state == "failing"
    assert "Samples: relative distance 0.31" in verdict.text()
    assert "more at this pace" not in verdict.text()


def test_where_the_learning_rates_have_ended_it_says_to_start_over() -> None:
    ended = [r | {"lr_g": 1e-3 * (1 - i / 41), "lr_d": 1e-3} for i, r in enumerate(records(power(0.13, -1)))]
    result = forecast(History(ended))
    assert result is not None
    assert result.ended
    assert "--fresh --minutes " in result.text()


def test_another_program_gets_no_options_of_ours() -> None:
    for curve in (power(0.13, -1), power(0.13, 0.0), power(0.13, 0.6)):
        assert "--" not in found(curve).text(own_run=False)


def test_it_is_plain_json_and_no_alarm() -> None:
    verdict = examine(records(power(0.13, -0.6)))
    tree = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
    assert tree["findings"] == []
    assert tree["forecast"].keys() == set(asdict(verdict.forecast))  # type: ignore[arg-type, call-overload]
    assert tree["forecast"]["done"] is False
    assert examine(healthy()).to_json()["forecast"] is None


@pytest.mark.parametrize("name", CASES)
def test_of_a_real_runs_scores_it_says_something_at_every_record(name: str) -> None:
    """Their `frechet` over its first value, since they are from before the relative distance."""
    run = [dict(record) for record in CASES[name]["records"]]
    first = next((record["frechet"] for record in run if record.get("frechet")), None)
    for record in run:
        if first and "frechet" in record:
            record["relative_distance"] = record["frechet"] / first
    for n in range(1, len(run) + 1, 7):
        result = forecast(History(run[:n]))
        assert (result is None) == (not any("relative_distance" in record for record in run[:n] if record["step"]))
        if result is not None:
            assert result.text()
            json.dumps(asdict(result), allow_nan=False)
