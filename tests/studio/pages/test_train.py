from __future__ import annotations

from pathlib import Path

import pytest

from ganglion.errors import DataError, RecipeError
from ganglion.platform.process_identity import identity_of
from ganglion.studio.jobs import Jobs
from ganglion.studio.pages.train import RECIPES, Form, start, wanted_of
from ganglion.studio.state import Studio


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    (tmp_path / "runs").mkdir()
    return Studio(tmp_path / "runs", tmp_path / "cache")


def test_the_form_starts_the_command_with_its_values(studio: Studio) -> None:
    jobs = Jobs(studio.jobs, lambda command, log, folder: identity_of())
    name = start(studio, jobs, (" digits ", "fast", "16", "0,5", "generator.width=8\n"))
    assert name == "digits-fast"
    job = jobs.of(studio.folder / "digits-fast")
    assert job is not None
    assert job.arguments == [
        "train", "--run", str(studio.folder / "digits-fast"), "--recipe", "fast", "--size", "16", "--minutes", "0.5", "--set",
        "generator.width=8", "--", "digits",
    ]  # fmt: skip


WRONG: list[tuple[Form, str]] = [
    (("", "auto", "", "", ""), "no images named"),
    (("digits", "auto", "a lot", "", ""), "size"),
    (("digits", "auto", "", "soon", ""), "above 0"),
    (("digits", "auto", "", "", "generator.widht=8"), "did you mean"),
    (("digits", "auto", "", "", "generator.width"), "KEY=VALUE"),
    (("digits", "fast", "", "1", "training.kimg=3"), "one budget"),
]


@pytest.mark.parametrize(("form", "words"), WRONG)
def test_a_wrong_field_is_said_before_anything_starts(studio: Studio, form: Form, words: str) -> None:
    with pytest.raises((DataError, RecipeError), match=words):
        start(studio, Jobs(studio.jobs, lambda command, log, folder: pytest.fail("started")), form)
    assert not list(studio.folder.iterdir())


def test_every_recipe_can_be_chosen_once() -> None:
    assert len(set(RECIPES)) == len(RECIPES)
    assert RECIPES[0] == "auto"


def test_an_empty_form_but_for_the_images_leaves_everything_to_auto(studio: Studio) -> None:
    found = wanted_of(studio, ("digits", "auto", "", "", ""))
    assert (found.size, found.minutes, found.settings) == ("", None, ())
