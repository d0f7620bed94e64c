"""How much faster several processes are is measured, and said once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ganglion.platform.interrupt import Interrupt
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import Request
from ganglion.training.own import Own
from ganglion.training.prepare import batches_of, prepare_run
from ganglion.training.speed_up import SpeedUp, images_per_sec_alone
from tiny import TINY


class Clock:
    """In seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def said_after(steps: int, alone: float | None, records: tuple[int, ...] = ()) -> list[str]:
    """What is said in steps of a second and 20 images, with records of a minute after some of them."""
    clock, said = Clock(), list[str]()
    shown: list[str | None] = []
    show = SpeedUp(2, 20, alone, said.append, clock=clock).watching(lambda fraction, line: shown.append(line))
    for step in range(steps):
        clock.now += 1
        show(step / steps, None)
        if step in records:
            clock.now += 60
            show(step / steps, "status")
    assert len(shown) == steps + len(records)  # everything is passed on
    return said


@pytest.mark.parametrize(
    ("alone", "expected"),
    [
        (10.0, "2.0 times the 10 of one on the whole batch"),
        (40.0, "0.5 times the 40 of one on the whole batch; --devices 1 is faster"),
        (None, "one process alone could not be measured"),
    ],
)
def test_the_speed_up_is_said_once_and_is_that_of_the_steps(alone: float | None, expected: str) -> None:
    for records in ((), (0, 2, 5)):
        said = said_after(30, alone, records)
        assert len(said) == 1
        assert said[0].startswith("2 processes: 20 images/s")
        assert expected in said[0]


def test_a_run_that_ends_before_says_nothing() -> None:
    assert said_after(4, 10.0) == []


@pytest.mark.parametrize("budget", [{"steps": 1000}, {"kimg": 10.0}, {"minutes": 1.0}])
def test_one_process_is_measured_on_whole_batches_and_leaves_nothing(cache: Path, budget: Request) -> None:
    request: Request = {"recipe": "dcgan", "size": 16, "precision": "32", "set": TINY, **budget}
    prepared = prepare_run("digits", request, Screen(quiet=True), "cpu", 1, cache)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    speed = images_per_sec_alone(prepared.recipe, batches_of(prepared), Own(), Interrupt())
    assert speed is not None
    assert 1 < speed < 1e6
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_a_training_that_fails_is_not_measured(cache: Path) -> None:
    rates = {f"optimizer.{player}.lr": 1e38 for player in ("generator", "discriminator")}
    request: Request = {"recipe": "dcgan", "size": 16, "steps": 1000, "precision": "32", "set": TINY | rates}
    prepared = prepare_run("digits", request, Screen(quiet=True), "cpu", 1, cache)
    assert images_per_sec_alone(prepared.recipe, batches_of(prepared), Own(), Interrupt()) is None
