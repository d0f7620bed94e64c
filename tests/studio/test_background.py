from __future__ import annotations

import math
import threading
import time

import pytest

from ganglion.errors import DataError
from ganglion.studio.background import AT_ONCE, Task, Tasks


def ended(task: Task, seconds: float = 10) -> Task:
    until = time.monotonic() + seconds
    while not task.ended:
        assert time.monotonic() < until
        time.sleep(0.005)
    return task


def test_a_task_ends_with_its_result() -> None:
    assert ended(Tasks().start(Task("sum"), lambda task: 1 + 1)).result == 2


def test_a_users_mistake_is_a_sentence_and_a_fault_of_ours_is_printed_too(capsys: pytest.CaptureFixture[str]) -> None:
    def mistake(task: Task) -> None:
        raise DataError("there are no images")

    def fault(task: Task) -> None:
        raise KeyError("z")

    tasks = Tasks()
    assert ended(tasks.start(Task("a"), mistake)).error == "there are no images"
    assert capsys.readouterr().err == ""
    assert ended(tasks.start(Task("b"), fault)).error == "it failed with KeyError: 'z'"
    assert "Traceback" in capsys.readouterr().err


def test_a_stop_ends_it_at_its_next_step() -> None:
    def work(task: Task) -> None:
        show = task.steps("Counting")
        for i in range(10_000):
            show(i, 10_000)
            time.sleep(0.002)

    task = Tasks().start(Task("count"), work)
    while not task.text:
        time.sleep(0.002)
    task.stop()
    assert ended(task).state == "stopped"
    assert task.result is None


def test_time_is_spent_by_the_clock_and_all_of_it_at_a_stop() -> None:
    now = [0.0]
    task = Task("search", seconds=10, clock=lambda: now[0])
    now[0] = 4.0
    task.progress(1, 100)
    assert task.spent() == pytest.approx(0.4)
    assert task.share == pytest.approx(0.4)
    task.progress(70, 100)
    assert task.share == pytest.approx(0.7)
    task.stop()
    assert task.spent() == math.inf
    assert Task("unlimited").spent() == 0


def test_only_so_many_run_at_once_and_a_waiting_one_can_be_stopped() -> None:
    tasks, gate = Tasks(), threading.Event()
    running = [tasks.start(Task(str(i)), lambda task: gate.wait(10)) for i in range(AT_ONCE)]
    while any(task.state == "waiting" for task in running):
        time.sleep(0.002)
    waiting = tasks.start(Task("late"), lambda task: 1)
    time.sleep(0.02)
    assert waiting.state == "waiting"
    waiting.stop()
    gate.set()
    assert ended(waiting).state == "stopped"
    assert all(ended(task).state == "done" for task in running)


def test_the_newest_of_a_name_is_found_again_and_stops_the_one_before() -> None:
    tasks, gate = Tasks(), threading.Event()
    first = tasks.start(Task("first"), lambda task: gate.wait(10), "scores of a run")
    second = tasks.start(Task("second"), lambda task: 2, "scores of a run")
    assert tasks.newest("scores of a run") is second
    assert first.stopping
    gate.set()
    assert ended(second).result == 2
    assert tasks.newest("another") is None
