from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ganglion.errors import RecipeError
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import Request
from ganglion.recipe.schema import Recipe
from ganglion.training.prepare import _mirror_p_value, prepare_run
from ganglion.training.train import train


def settled(cache: Path, **asked: object) -> tuple[Recipe, list[str]]:
    words: Request = {"size": 16, **asked}  # type: ignore[typeddict-item]
    prepared = prepare_run("digits", words, Screen(quiet=True), "cpu", 1, cache)
    return prepared.recipe, prepared.reasons


def test_1797_digits_get_the_recipe_for_few_images_with_reasons(cache: Path) -> None:
    recipe, reasons = settled(cache)
    assert recipe.name == "small-data"
    assert "1,797 images" in reasons[0]
    assert recipe.training.minutes == 3


def test_what_the_user_says_wins_over_the_choice(cache: Path) -> None:
    recipe, _ = settled(cache, set=["generator.width=5", "augment.kind=none"], seed=7)
    assert (recipe.generator.width, recipe.augment.kind, recipe.training.seed) == (5, "none", 7)


@pytest.mark.parametrize("asked", [{"kimg": 2}, {"set": {"training.kimg": 2}}])
def test_the_users_budget_replaces_the_chosen_one(cache: Path, asked: dict[str, object]) -> None:
    recipe, _ = settled(cache, **asked)
    assert (recipe.training.kimg, recipe.training.minutes) == (2, None)


def test_a_budget_within_a_part_that_is_set_as_a_whole_replaces_the_chosen_one_too(cache: Path) -> None:
    recipe, _ = settled(cache, set=["training={kimg: 2}"])
    assert (recipe.training.kimg, recipe.training.minutes) == (2, None)


def test_a_named_recipe_is_left_as_it_is(cache: Path) -> None:
    recipe, reasons = settled(cache, recipe="lsgan")
    assert recipe.name == "lsgan"
    assert [reason.partition(":")[0] for reason in reasons] == ["fit crop", "1 channel"]  # of the images alone


def test_a_mistake_is_said_before_the_images_are_read() -> None:
    with pytest.raises(RecipeError, match="did you mean 'generator.width'"):
        train("there-is-no-such-folder", set={"generator.widht": 3}, quiet=True)


def test_train_uses_it_where_no_recipe_is_named(cache: Path, tmp_path: Path) -> None:
    run = train(
        "digits", size=16, steps=2, run=tmp_path / "run", cache=cache, quiet=True, device="cpu",
        set={"generator.width": 4, "discriminator.width": 4, "training.batch": 8},
    )  # fmt: skip
    assert run.recipe.name == "small-data"
    assert run.recipe.augment.kind == "diffaugment"


def test_no_reason_is_given_for_what_was_asked_for(cache: Path) -> None:
    def reasons(**more: Any) -> str:
        return "\n".join(prepare_run("digits", {"size": 16, **more}, Screen(quiet=True), "cpu", 1, cache).reasons)

    assert "minutes: " in reasons()
    assert "flip " in reasons()
    assert "minutes: " not in reasons(kimg=1)
    assert "minutes: " not in reasons(set={"training.steps": 3})
    assert "flip " not in reasons(set={"augment.flip": True})


def test_classes_that_are_each_others_mirror_images_are_not_flipped() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 60, (1000, 16, 16, 3), np.uint8)
    images[:500, :, 2:5] += 190  # class 0 looks to the left
    images[500:, :, 11:14] += 190
    labels = np.repeat([0, 1], 500)
    store: Any = SimpleNamespace(images=images, labels=labels)
    assert _mirror_p_value(store, 1, 1000) > 0.05  # together they are their own mirror images
    assert _mirror_p_value(store, 2, 500) < 0.01
    mixed: Any = SimpleNamespace(images=images, labels=random.permutation(labels))
    assert _mirror_p_value(mixed, 2, 500) > 0.05
