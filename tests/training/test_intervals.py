"""When records and snapshots are due, by made clocks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import pytest

from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from ganglion.training.budget import Budget
from ganglion.training.intervals import FIRST_SEC, RECORDS, SNAPSHOTS, Intervals


def recipe(**training: object) -> Recipe:
    return resolve(
        "small-data", {"training.batch": 32, **{f"training.{key}": value for key, value in training.items()}}
    )


@dataclass
class Walk:
    """A run's steps with a record and a snapshot, and the seconds at each record."""

    records: list[int]
    snapshots: list[int]
    seconds: list[float]
    spent: float
    whole: float

    @property
    def apart(self) -> list[int]:
        return [b - a for a, b in pairwise(self.records)]


def walk(settings: Recipe, step_sec: float, record_sec: float = 0.0, snapshot_sec: float = 0.0, begin: int = 0) -> Walk:
    """A session from step `begin`, in which each step, record and snapshot takes so many seconds."""
    budget, step, seconds = Budget.of(settings), begin, begin * step_sec
    intervals = Intervals(settings, budget, step, budget.fraction(step, seconds), seconds)
    found = Walk([], [], [], 0.0, 0.0)
    while budget.fraction(step, seconds) < 1:
        step, seconds = step + 1, seconds + step_sec
        fraction = budget.fraction(step, seconds)
        due = intervals.due(step, fraction, seconds)
        if due.record or fraction >= 1:
            found.records.append(step)
            found.seconds.append(seconds)
            took = snapshot_sec if due.snapshot else record_sec
            found.spent, seconds = found.spent + took, seconds + took
        if due.snapshot or fraction >= 1:
            found.snapshots.append(step)
    found.whole = seconds
    return found


@pytest.mark.parametrize("images_per_sec", [12, 39, 200, 2000, 20_000])
@pytest.mark.parametrize("minutes", [1, 5, 30])
def test_a_run_of_some_minutes_has_forty_records_and_eight_snapshots_at_any_speed(
    images_per_sec: int, minutes: int
) -> None:
    batch = 32
    found = walk(recipe(minutes=minutes, batch=batch), batch / images_per_sec)
    steps = minutes * 60 * images_per_sec // batch
    assert len(found.records) >= min(RECORDS, steps)
    assert len(found.snapshots) >= min(SNAPSHOTS, steps)
    assert found.seconds[0] <= FIRST_SEC + batch / images_per_sec
    assert set(found.snapshots) <= set(found.records)


@pytest.mark.parametrize(("kimg", "records", "snapshots"), [(10, 40, 8), (40, 40, 8), (300, 60, 8), (4000, 790, 99)])
def test_so_has_a_run_of_ten_kimg_and_more_and_long_ones_keep_the_recipes_intervals(
    kimg: float, records: int, snapshots: int
) -> None:
    found = walk(recipe(kimg=kimg), 1e-6)
    assert records <= len(found.records) <= records * 1.15 + 1
    assert snapshots <= len(found.snapshots) <= snapshots * 1.15 + 1
    assert set(found.snapshots) <= set(found.records)


def test_a_shorter_run_has_a_record_every_quarter_of_a_kimg_unless_the_recipe_wants_more() -> None:
    assert walk(recipe(kimg=2), 1e-6).apart[0] == 8  # batches of 32
    assert walk(recipe(kimg=2, tick_kimg=0.064), 1e-6).apart[0] == 2


def test_in_steps_and_kimg_the_clock_decides_only_when_the_first_record_is_made() -> None:
    fast, slow = (walk(recipe(kimg=40), step_sec) for step_sec in (1e-6, 1.0))
    assert slow.snapshots == fast.snapshots
    assert slow.records == [5, *fast.records]
    assert slow.seconds[0] == FIRST_SEC


@pytest.mark.parametrize("begin", [130, 500])
def test_a_resumed_session_makes_the_same_records_and_a_first_one_soon(begin: int) -> None:
    whole, rest = walk(recipe(kimg=40), 1.0), walk(recipe(kimg=40), 1.0, begin=begin)
    assert rest.records[0] <= begin + FIRST_SEC
    expected = {step for step in whole.records if step > begin}
    assert expected <= set(rest.records)
    assert len(set(rest.records) - expected) <= 1


def test_records_and_snapshots_that_take_long_take_a_tenth_of_the_minutes_each_at_most() -> None:
    free, costly = (walk(recipe(minutes=5), 0.8, *cost) for cost in ((0.0, 0.0), (6.0, 20.0)))
    assert len(free.records) >= RECORDS
    assert costly.spent < 0.35 * costly.whole
    assert 5 <= len(costly.records) < RECORDS
    assert len(costly.snapshots) >= 2


@pytest.mark.parametrize(("images_per_sec", "record_sec"), [(20_000, 0.2), (100_000, 0.1)])
def test_on_a_fast_device_the_images_of_a_record_do_not_ask_for_more_than_that(
    images_per_sec: int, record_sec: float
) -> None:
    found = walk(recipe(minutes=2), 32 / images_per_sec, record_sec, record_sec)
    assert 0.05 * found.whole < found.spent < 0.22 * found.whole
    assert len(found.records) > 2 * RECORDS


def test_records_that_the_minutes_can_bear_are_all_made() -> None:
    found = walk(recipe(minutes=5), 0.8, 0.3, 1.5)
    assert len(found.records) >= RECORDS
    assert len(found.snapshots) >= SNAPSHOTS


def test_a_snapshot_falls_on_a_record_and_not_beside_it() -> None:
    plain = resolve("dcgan", {"training.tick_kimg": 2, "training.snapshot_kimg": 10})  # 32 and 157 steps of 64 images
    intervals = Intervals(plain, Budget.of(plain))
    assert (intervals.record_steps, intervals.snapshot_steps) == (32, 160)
    often = resolve("dcgan", {"training.tick_kimg": 2, "training.snapshot_kimg": 0.064})
    assert Intervals(often, Budget.of(often)).snapshot_steps == 1


@pytest.mark.parametrize("budget", [{"kimg": 100}, {"minutes": 5}])
def test_updates_are_measured_some_times_for_each_record(budget: dict[str, float]) -> None:
    settings = recipe(**budget)
    budgeted, seconds = Budget.of(settings), 0.0
    intervals, looks, between = Intervals(settings, budgeted), 0, []
    for step in range(1, 2000):
        looks, seconds = looks + intervals.closely(step), seconds + 0.15
        if intervals.due(step, budgeted.fraction(step, seconds), seconds).record:
            between.append(looks)
            looks = 0
    assert min(between) >= 1
    assert max(between) <= 12
    assert 3 <= median(between) <= 6


def test_without_an_early_record_the_clock_decides_nothing() -> None:
    settings = recipe(kimg=10)
    intervals = Intervals(settings, Budget.of(settings), early=False)
    assert not intervals.due(1, 0.01, 100 * FIRST_SEC).record
    assert intervals.due(intervals.record_steps, 0.1, 200 * FIRST_SEC).record


def test_waiting_for_a_device_that_is_behind_is_no_cost_of_a_record() -> None:
    """Steps are launched in a fiftieth of the time that they take; at each record the device catches up."""

    def records(told: bool) -> int:
        settings = resolve("dcgan", {"training.minutes": 10, "training.tick_kimg": 1e6, "training.snapshot_kimg": 1e6})
        budget, seconds, behind, count = Budget.of(settings), 0.0, 0, 0
        intervals = Intervals(settings, budget)
        for step in range(1, 60_000):
            seconds, behind = seconds + 0.0002, behind + 1
            if behind > 1024:
                seconds, behind = seconds + 0.0098, 1024
            if intervals.due(step, budget.fraction(step, seconds), seconds).record:
                seconds, behind, count = seconds + 0.0098 * behind, 0, count + 1
                if told:
                    intervals.caught_up(seconds)
        return count

    assert records(told=True) >= RECORDS > records(told=False)
