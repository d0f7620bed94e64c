"""What is said of a budget beforehand, and the budget that auto takes, from made tables."""

from __future__ import annotations

from pathlib import Path

import pytest

import ganglion
from ganglion.platform.screen import Screen
from ganglion.recipe.measured import MeasuredRun
from ganglion.recipe.resolve import resolve
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.outlook import budget_at, foretelling, outlook, with_auto_budget, with_budget_by_speed
from ganglion.training.own import Own
from ganglion.training.prepare import prepare_run
from ganglion.training.train import train

TABLE = [
    MeasuredRun("photographs", "small-data", 300, 64, kimg, distance, "made up")
    for kimg, distance in ((20, 0.9), (80, 0.1))
]
RECIPE = resolve("small-data", {"data.size": 64, "training.minutes": 10})


def test_a_budget_in_minutes_has_images_by_speed_and_one_in_images_minutes() -> None:
    assert budget_at(RECIPE, 100) == (10, 60)
    assert budget_at(resolve("small-data", {"training.kimg": 6}), 100) == pytest.approx((1, 6), rel=1e-2)


def test_a_budget_of_less_than_a_minute_is_said_in_seconds() -> None:
    assert outlook(RECIPE, 250, 95 * 20, []).startswith("At 1,900 images/s, 10 minutes show")
    short = RECIPE.model_copy(update={"training": RECIPE.training.model_copy(update={"minutes": 0.25})})
    assert outlook(short, 250, 100, []).startswith("At 100 images/s, 15 seconds show 1.5 kimg.")


def test_it_says_what_similar_runs_reached_with_as_many_images() -> None:
    assert outlook(RECIPE, 250, 66.67, TABLE) == (
        "At 67 images/s, 10 minutes show 40 kimg. Relative distance of similar runs: photographs 0.5 after 40 kimg "
        "(0: as other real images; goal 0.1). It was at the goal after as many images as take 20 minutes here."
    )


def test_of_many_similar_runs_it_says_the_range_the_median_and_when_half_were_there() -> None:
    many = [row._replace(what=f"{row.what} {n}", relative_distance=(row.relative_distance or 0) * n / 4)
            for n in range(1, 6) for row in TABLE]  # fmt: skip
    assert outlook(RECIPE, 250, 66.67, many) == (
        "At 67 images/s, 10 minutes show 40 kimg. Relative distance of 5 similar folders after about as many: 0.12 to 0.62, "
        "median 0.37 (0: as other real images; goal 0.1). Half of them were at the goal after as many images as take "
        "18.9 minutes here."
    )
    late = [row for row in many if row.kimg < 80]
    assert outlook(RECIPE, 250, 66.67, late).endswith(
        "Fewer than half of them reached the goal in the minutes measured."
    )


def test_where_nothing_similar_was_measured_it_says_so() -> None:
    unknown = TABLE[0]._replace(relative_distance=None)
    for table in ([], [unknown], [unknown, unknown._replace(what="drawings"), unknown._replace(what="faces")]):
        assert outlook(RECIPE, 250, 95, table) == (
            "At 95 images/s, 10 minutes show 57 kimg. What that gives is unknown: no run on similar images was measured on "
            "the scale of relative distances."
        )


@pytest.mark.parametrize(("speed", "minutes"), [(100, 14), (10_000, 1), (1, 120)])
def test_the_budget_is_what_such_images_need_at_this_speed_within_bounds(speed: float, minutes: float) -> None:
    assert with_budget_by_speed(RECIPE, 250, speed, TABLE).training.minutes == minutes


def test_without_a_measurement_the_budget_stays() -> None:
    assert with_budget_by_speed(RECIPE, 250, 100, TABLE[:1]) == RECIPE


DIGITS = [MeasuredRun("digits", "small-data", 1797, 16, 0.5, 0.04, "made up")]


def test_a_new_run_of_auto_takes_it_by_trial_steps_and_one_whose_budget_was_asked_for_does_not(cache: Path) -> None:
    chosen, asked = (
        prepare_run("digits", {"size": 16, **budget}, Screen(quiet=True), "cpu", 1, cache)  # type: ignore[typeddict-item]
        for budget in ({}, {"minutes": 7.0})
    )
    said: list[str] = []
    assert with_auto_budget(chosen, chosen.recipe, Own(), "auto", said.append, DIGITS).training.minutes == 1
    assert [
        line.startswith("auto: 1 minute instead: as long as similar images take to the goal at ") for line in said
    ] == [True]
    assert with_auto_budget(asked, asked.recipe, Own(), "auto", said.append, DIGITS) == asked.recipe
    assert len(said) == 1


def test_the_same_command_goes_on_with_the_budget_that_the_run_began_with(cache: Path, tmp_path: Path) -> None:
    small = {"generator.width": 4, "discriminator.width": 4, "training.batch": 8}

    def call(**budget: float) -> ganglion.Run:
        return train(
            "digits", size=16, run=tmp_path / "run", cache=cache, quiet=True, device="cpu", set=small, **budget
        )  # type: ignore[arg-type]

    first = call(minutes=0.01)
    assert call().recipe.training.minutes == first.recipe.training.minutes == 0.01


@pytest.mark.parametrize(("step", "times"), [(0, 1), (10, 0)])
def test_it_is_said_once_at_the_first_record_of_a_new_run(step: int, times: int) -> None:
    said, shown = list[str](), list[str | None]()
    progress = TrainingProgress(step=step)
    show = foretelling(lambda fraction, line: shown.append(line), RECIPE, 250, progress, said.append)
    progress.images, progress.seconds = 1000, 10.0
    for line in (None, None, "a line", None, "another"):
        show(0.1, line)
    assert len(said) == times
    assert shown == [None, None, "a line", None, "another"]
