from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import ganglion
from ganglion.data.given import IN_PYTHON
from ganglion.doctor.verdict import Remedy
from ganglion.errors import RecipeError, RunError
from ganglion.recipe.resolve import recipe_text, update
from ganglion.studio.commands import (
    Wanted,
    continuing,
    free_name,
    minutes_of,
    name_for,
    settings_of,
    with_remedy,
    working_folder,
)


@pytest.fixture
def run(tiny_run: ganglion.Run, tmp_path: Path) -> Path:
    target = tmp_path / "tiny"
    target.mkdir()
    shutil.copy(tiny_run.recipe_path, target)
    shutil.copy(tiny_run.path / "environment.json", target)
    return target


def test_a_source_is_never_taken_for_an_option() -> None:
    words = Wanted("--networks=/tmp/evil.py", minutes=1.5, settings=("generator.width=8",)).arguments(Path("runs/x"))
    assert words[-2:] == ["--", "--networks=/tmp/evil.py"]
    assert words[:-2] == [
        "train", "--run", "runs/x", "--recipe", "auto", "--minutes", "1.5", "--set", "generator.width=8",
    ]  # fmt: skip


def test_settings_are_lines_and_name_no_files() -> None:
    assert settings_of("generator.width=8\n\n# wide\n ema.halflife_kimg=2 ") == (
        "generator.width=8",
        "ema.halflife_kimg=2",
    )
    with pytest.raises(RecipeError, match="KEY=VALUE"):
        settings_of("--networks evil.py")
    for key in ("data.source=/etc", "training.start_from=../x", "data.data_dir=/", "data={data_dir: /home/bob}",
                "training={seed: 1, start_from: /any/run}"):  # fmt: skip
        with pytest.raises(RecipeError, match="names files"):
            settings_of(key)


@pytest.mark.parametrize(("text", "minutes"), [("", None), (" 2 ", 2.0), ("0.5", 0.5), ("1,5", 1.5)])
def test_minutes_are_a_number_or_the_recipes(text: str, minutes: float | None) -> None:
    assert minutes_of(text) == minutes


@pytest.mark.parametrize("text", ["soon", "0", "-3", "nan", "inf"])
def test_other_minutes_are_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="above 0"):
        minutes_of(text)


def nothing(place: Path) -> bool:
    """No run has been started."""
    return False


@pytest.mark.parametrize(
    ("source", "name"),
    [("digits", "digits-fast"), ("/a/My photos.zip", "My-photos-fast"), ("hf:OWNER/NAME", "NAME-fast"), ("..", "images-fast"),
     ("a/<script>", "script-fast"), ("/cache/drops/0123456789abcdef", "images-fast"),
     ("C:\\photos\\cats", "cats-fast"), ("日本", "日本-fast")],
)  # fmt: skip
def test_a_run_is_named_after_its_images_and_recipe(source: str, name: str, tmp_path: Path) -> None:
    found = name_for(source, "fast", tmp_path, nothing)
    assert found == name
    (tmp_path / found).mkdir()
    assert name_for(source, "fast", tmp_path, nothing) == f"{found}-2"


def test_a_name_that_is_taken_gets_the_next_number(tmp_path: Path) -> None:
    for name in ("a", "a-2"):
        (tmp_path / name).mkdir()
    assert free_name("a", tmp_path, nothing) == "a-3"
    assert free_name("a-2", tmp_path, nothing) == "a-3"
    assert free_name("a", tmp_path, lambda place: place.name == "a-3") == "a-4"  # started, and has no folder yet


def test_continuing_keeps_the_options_that_no_recipe_holds_and_the_place_where_they_were_given(run: Path) -> None:
    environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    environment |= {"command": "ganglion train digits --device cpu --no-report --seed 3", "folder": str(run.parent)}
    (run / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    assert continuing(run)[5:] == ["--device", "cpu", "--no-report", "--", "digits"]
    assert working_folder(run) == run.parent
    (run / "environment.json").write_text(json.dumps(environment | {"folder": str(run / "gone")}), encoding="utf-8")
    assert working_folder(run) is None
    (run / "environment.json").unlink()
    assert working_folder(run) is None


def test_continuing_names_the_run_and_its_own_recipe(run: Path) -> None:
    assert continuing(run) == ["train", "--run", str(run), "--recipe", str(run / "recipe.yaml"), "--", "digits"]


def test_a_remedy_starts_its_command_with_a_run_of_the_pages_name(run: Path, tmp_path: Path) -> None:
    line = f"ganglion train digits --from {run}:best --run {run}-slower --set optimizer.generator.lr=0.0001"
    words = with_remedy(Remedy("slower", "slower", command=line), tmp_path / "tiny-2")
    assert words == ["train", "digits", "--from", f"{run}:best", "--run", str(tmp_path / "tiny-2"), "--set",
                     "optimizer.generator.lr=0.0001"]  # fmt: skip


def test_a_remedy_without_a_command_for_a_training_is_said(tmp_path: Path) -> None:
    for line in ("", "ganglion.train(images, run='x')", "ganglion data photos/", "'"):
        with pytest.raises(RunError, match="no change of the recipe"):
            with_remedy(Remedy("look", "look at your images", command=line), tmp_path / "new")


def test_what_no_command_can_name_is_said(run: Path) -> None:
    recipe = ganglion.Run(run).recipe
    memory = update(recipe, data__source=f"1,000 images {IN_PYTHON}")
    (run / "recipe.yaml").write_text(recipe_text(memory), encoding="utf-8")
    with pytest.raises(RunError, match="in memory"):
        continuing(run)
