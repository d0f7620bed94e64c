from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from ganglion.errors import DataError
from ganglion.recipe.resolve import preset_names, recipe_text, requested_recipe, resolve
from ganglion.studio.commands import Wanted
from ganglion.studio.trial import about_recipe, failure_of, forecast, ganglion_command, look_at


def test_a_look_asks_for_the_recipe_first_and_shows_its_augmentation(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def command(words: Sequence[str]) -> str:
        asked.append(list(words))
        if words[0] == "train":
            return "# auto: few images\n# auto: fit pad: borders\n" + recipe_text(resolve("small-data"))
        preview = Path(words[words.index("--preview") + 1])
        for path in (preview, preview.with_name("augmented.png")):
            Image.new("RGB", (4, 4)).save(path)
        augmented = preview.with_name("augmented.png")
        return json.dumps({"images": 3, "augmented": str(augmented) if "--augment" in words else None})

    found = look_at(Wanted("-photos", size="32", settings=("data.fit=pad", "generator.width=8")), tmp_path, command)
    assert asked[0] == ["train", "--dry-run", "--recipe", "auto", "--size", "32", "--set", "data.fit=pad", "--set",
                        "generator.width=8", "--", "-photos"]  # fmt: skip
    augment = resolve("small-data").augment
    assert asked[1][4:] == ["--size", "32", "--set", "data.fit=pad", "--augment", augment.kind, "--set",
                            f"augment={augment.model_dump_json()}", "--", "-photos"]  # fmt: skip
    assert requested_recipe("photos", set=[asked[1][11]]).augment == augment
    assert found.reasons == ["few images"]
    assert found.recipe == "small-data"
    assert found.preview.startswith(b"\x89PNG")
    assert found.augmented is not None
    assert not list(tmp_path.iterdir())
    asked.clear()
    look_at(Wanted("photos", "dcgan"), tmp_path, command)
    assert [words[0] for words in asked] == ["data"]  # only auto has to see the images
    assert "--augment" not in asked[0]


def test_a_forecast_is_the_command_check() -> None:
    asked: list[list[str]] = []
    forecast(Wanted("digits", "fast", minutes=2), lambda words: asked.append(list(words)) or '{"remarks": []}')  # type: ignore[func-returns-value]
    assert asked == [["check", "--json", "--recipe", "fast", "--minutes", "2", "--", "digits"]]


def test_the_error_of_a_command_is_its_own_sentence() -> None:
    assert str(failure_of("Scanning\nerror: a is empty: add images\n", 1)) == "a is empty: add images"
    usage = "Usage: x\n╭─ Error ──╮\n│ Invalid value for '--size'. │\n╰───╯\n"
    assert "Invalid value for '--size'" in str(failure_of(usage, 2))
    assert "code 137" in str(failure_of("", 137))


def test_a_command_that_fails_raises_what_it_said() -> None:
    with pytest.raises(DataError, match="no recipe 'none'"):
        ganglion_command(["recipes", "none"])


def test_every_recipe_says_what_it_is_for() -> None:
    assert all(len(about_recipe(name)) > 30 for name in ["auto", *preset_names()])
