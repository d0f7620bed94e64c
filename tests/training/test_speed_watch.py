"""Notices of a slow time and of its end, from made readings of clock and load."""

from __future__ import annotations

import pytest

from ganglion.platform.cores import LoadReading, Neighbour
from ganglion.training.speed_watch import SpeedWatch, cause_of

TWO = [Neighbour("python", 1.0), Neighbour("ffmpeg", 0.9)]


class Meter:
    own: frozenset[int] = frozenset({1})

    def __init__(self) -> None:
        self.load = LoadReading(10.0, 2.0, 0.0)

    def read(self) -> LoadReading:
        return self.load


class Training:
    """Ticks of ten seconds at a speed in images/s, with records that take a second between them."""

    def __init__(self, threads: int = 2, load_average: float | None = None) -> None:
        self.now, self.images, self.said, self.meter = 0.0, 0, list[str](), Meter()
        self.looked_for_neighbours = 0
        self.watch = SpeedWatch(
            self.said.append, threads, self.meter, 0, self.neighbours, lambda: load_average, 2, lambda: self.now
        )  # type: ignore[arg-type]

    def neighbours(self, own: frozenset[int]) -> list[Neighbour]:
        assert own == {1}
        self.looked_for_neighbours += 1
        return TWO

    def tick(
        self, speed: float, own: float = 2.0, others: float | None = 0.0, seconds: float = 10.0
    ) -> dict[str, float]:
        self.meter.load = LoadReading(seconds, own, others)
        self.images += round(speed * seconds)
        self.now += seconds
        record = self.watch.tick(self.images)
        self.now += 1.0
        self.watch.go_on(self.images)
        return record


def test_a_slow_time_is_said_once_when_it_begins_and_once_when_it_is_over():
    run = Training()
    for speed in (120, 118, 31, 12, 31, 119, 120):
        run.tick(speed, own=0.9, others=1.1 if speed < 100 else 0.0)
    assert run.said == [
        "Slow: 31 images/s instead of 120. 2 other processes (python, ffmpeg) use 1.1 of these 2 cores. 2 threads wait for "
        "each other at every operation: while this lasts, one thread can be faster (stop with Ctrl-C, then the same command "
        "with --threads 1).",
        "At its usual speed again: 119 images/s",
    ]
    assert run.looked_for_neighbours == 1


def test_what_a_record_takes_does_not_count_as_slow():
    run = Training()
    run.tick(120)
    run.now += 100  # a snapshot, and the disk is slow
    run.watch.go_on(run.images)
    run.tick(120)
    assert run.said == []


def test_speeds_that_merely_vary_are_not_said():
    run = Training()
    for speed in (120, 70, 110, 65, 90):
        run.tick(speed)
    assert run.said == []


def test_short_ticks_are_judged_together():
    run = Training()
    run.tick(100)
    for _ in range(2):
        run.tick(10, seconds=1.0)
    assert run.said == []
    run.tick(10, seconds=1.0)
    assert len(run.said) == 1


def test_the_load_of_others_is_in_the_record_where_it_is_known():
    run = Training()
    assert run.tick(120, others=1.23456)["other_load"] == 1.235
    assert "other_load" not in run.tick(120, others=None)


def test_the_speed_in_the_record_is_that_of_the_steps_without_what_the_last_record_took():
    run = Training()
    assert [run.tick(120)["images_per_sec"], run.tick(60, seconds=0.5)["images_per_sec"]] == [120, 60]


def cause(own: float, others: float | None, threads: int = 2, load_average: float | None = None) -> str:
    return cause_of(LoadReading(10.0, own, others), TWO, threads, 2, load_average)


def test_one_thread_is_not_advised_to_have_one_thread():
    assert cause(0.6, 1.4, threads=1) == "2 other processes (python, ffmpeg) use 1.4 of these 2 cores."


def test_a_neighbour_beside_which_there_is_room_is_not_the_cause():
    assert cause(1.0, 1.0, threads=1).startswith("It is not other processes")


@pytest.mark.parametrize(
    ("own", "words"), [(1.9, "worked all the time"), (0.4, "worked 0.4 of 2 cores and waited otherwise")]
)
def test_without_others_the_cause_is_the_processor_or_waiting(own, words):
    found = cause(own, 0.05)
    assert found.startswith("It is not other processes")
    assert words in found


def test_processes_that_cannot_be_seen_are_not_counted():
    assert cause_of(LoadReading(10.0, 0.6, 1.4), [], 1, 2) == (
        "Other processes, outside this container or short-lived, use 1.4 of these 2 cores."
    )


@pytest.mark.parametrize(
    ("load_average", "words"),
    [(5.2, "the load average is 5.2"), (2.1, "The cause is not known."), (None, "The cause is not known.")],
)
def test_other_systems_say_only_what_they_know(load_average, words):
    assert words in cause(1.0, None, load_average=load_average)


def test_on_another_device_the_cores_explain_nothing():
    run = Training(threads=0)
    run.tick(120)
    run.tick(12, others=2.0)
    assert "nvidia-smi" in run.said[0]
    assert run.looked_for_neighbours == 0
