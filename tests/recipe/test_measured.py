from __future__ import annotations

import pytest

from ganglion.recipe.measured import MEASURED, Expectation, MeasuredRun, expectations, needed_kimg


def row(what: str, kimg: float, distance: float | None, side: int = 64, images: int = 300) -> MeasuredRun:
    return MeasuredRun(what, "small-data", images, side, kimg, distance, "made up")


TABLE = [row("digits", 10, 0.9), row("digits", 40, 0.1), row("photographs", 40, 0.6), row("letters", 40, None)]


def reached(kimg: float) -> dict[str, Expectation]:
    return {one.what: one for one in expectations("small-data", 250, 64, kimg, TABLE)}


def test_between_two_measurements_a_line_in_the_logarithm_of_the_images() -> None:
    assert reached(20)["digits"].relative_distance == pytest.approx(0.5)
    assert reached(40)["digits"].relative_distance == pytest.approx(0.1)


def test_outside_the_nearest_measurement_is_named_with_its_images() -> None:
    assert reached(400)["digits"] == Expectation("digits", 0.1, 40)
    assert reached(1)["photographs"] == Expectation("photographs", 0.6, 40)


def test_what_was_measured_on_another_scale_is_not_known() -> None:
    assert reached(20)["letters"].relative_distance is None


@pytest.mark.parametrize(
    ("recipe", "images", "side"), [("fast", 250, 64), ("small-data", 250, 128), ("small-data", 5000, 64)]
)
def test_other_recipes_sizes_and_numbers_say_nothing(recipe: str, images: int, side: int) -> None:
    assert expectations(recipe, images, side, 20, TABLE) == []


def test_the_images_to_a_goal_are_those_after_which_half_of_the_runs_were_there() -> None:
    assert needed_kimg("small-data", 250, 64, 0.3, TABLE) == pytest.approx(10 * 4**0.75)  # one of two
    more = [*TABLE, row("flags", 50, 0.2)]
    assert needed_kimg("small-data", 250, 64, 0.3, more) == pytest.approx(50)  # the second of three
    assert needed_kimg("small-data", 250, 64, 0.3, [*more, row("stars", 50, 0.9), row("stones", 50, 0.9)]) is None
    assert needed_kimg("small-data", 250, 64, 0.05, TABLE) is None


def test_every_row_says_where_it_comes_from() -> None:
    assert all(one.source and one.kimg > 0 and one.images > 0 for one in MEASURED)
