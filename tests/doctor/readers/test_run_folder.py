"""How a run was started, read from its folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import ganglion
from ganglion.doctor.readers.run_folder import setup_of
from ganglion.doctor.readers.treatments import Ending, Treatment
from ganglion.doctor.run_setup import RunSetup
from ganglion.recipe.resolve import recipe_text, resolve

OWN = {f"{player}.family": "custom" for player in ("generator", "discriminator")} | {
    f"{player}.digest": "0" for player in ("generator", "discriminator")
}


def made(
    folder: Path, command: str = "ganglion train digits", start: Any = None, file: object = None, **settings: Any
) -> Path:
    """A run folder with a recipe, an environment and perhaps a start; `file`: the recipe that it was started with."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = resolve("fast", {"data.source": "digits", **{key.replace("__", "."): v for key, v in settings.items()}})
    (folder / "recipe.yaml").write_text(recipe_text(recipe))
    (folder / "environment.json").write_text(json.dumps({"command": command, "recipe_file": file and str(file)}))
    if start is not None:
        (folder / "start.json").write_text(json.dumps(start))
    return folder


def read(folder: Path) -> RunSetup:
    setup = setup_of(folder)
    assert setup is not None
    return setup


def seeds(setup: RunSetup) -> list[int]:
    return [recipe.training.seed for recipe in setup.earlier]


def tree(seed: int) -> dict[str, Any]:
    return resolve("fast", {"training.seed": seed}).model_dump(mode="json")


def test_a_finished_run_tells_its_recipe_and_has_weights(tiny_run: ganglion.Run) -> None:
    setup = read(tiny_run.path)
    assert (setup.recipe, setup.run, setup.has_checkpoint) == (tiny_run.recipe, str(tiny_run.path), True)
    assert (setup.in_memory, setup.d_batch_norm, setup.earlier) == (False, None, ())


def test_a_folder_without_a_recipe_that_can_be_read_tells_nothing(tmp_path: Path) -> None:
    assert setup_of(tmp_path) is None
    for text in ("{", "generator: {width: -1}", "no: recipe", ""):
        (tmp_path / "recipe.yaml").write_text(text)
        assert setup_of(tmp_path) is None


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (
            "/bin/ganglion train x --device cpu --set a=1 --threads 2 --no-report",
            ["--device", "cpu", "--threads", "2", "--no-report"],
        ),
        ("ganglion train x --devices=2 --run r", ["--devices=2"]),
        ("python mine.py --device cpu", []),
        ("ganglion studio --device cpu", []),
        ("", []),
    ],
)
def test_options_that_are_in_no_recipe_come_from_the_command(tmp_path: Path, command: str, options: list[str]) -> None:
    assert list(read(made(tmp_path, command)).options) == options


@pytest.mark.parametrize("content", ["", "[]", "{", '{"command": 3}'])
def test_an_environment_that_cannot_be_read_gives_no_options(tmp_path: Path, content: str) -> None:
    (made(tmp_path) / "environment.json").write_text(content)
    assert read(tmp_path).options == ()


def test_images_given_in_python_are_known_as_such(tmp_path: Path) -> None:
    assert read(made(tmp_path, data__source="array (9, 16, 16) uint8, given in Python")).in_memory
    assert not read(made(tmp_path, data__source="my photos")).in_memory


def test_what_is_beside_it_is_taken(tmp_path: Path) -> None:
    made(tmp_path / "run-wider-g")
    made(tmp_path / "other-wider-g")
    assert read(made(tmp_path / "run")).taken == {str(tmp_path / "run"), str(tmp_path / "run-wider-g")}


def test_batch_norm_in_networks_of_ones_own_is_seen_in_their_weights(tmp_path: Path, tiny_run: ganglion.Run) -> None:
    for name, settings in (("own", OWN), ("ours", {})):
        folder = made(tmp_path / name, **settings)
        assert read(folder).d_batch_norm is None
        shutil.copytree(tiny_run.checkpoints, folder / "checkpoints")
        assert read(folder).d_batch_norm is (True if settings else None)  # the tiny run's D has batch norm
    newest = sorted((tmp_path / "own" / "checkpoints").glob("*/discriminator.safetensors"))[-1]
    header = json.dumps({"0.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    newest.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert read(tmp_path / "own").d_batch_norm is False
    newest.write_bytes(b"broken")
    assert read(tmp_path / "own").d_batch_norm is None


# Where it comes from


def test_runs_whose_weights_it_took_are_known_though_they_are_gone(tmp_path: Path) -> None:
    folder = made(tmp_path / "c", start={"run": str(tmp_path / "gone"), "recipe": tree(2), "earlier": [tree(1)]})
    assert seeds(read(folder)) == [2, 1]


def test_runs_that_are_there_are_followed_through_weights_and_recipes(tmp_path: Path) -> None:
    first = made(tmp_path / "a", training__seed=1)
    second = made(tmp_path / "b", file=first / "recipe.yaml", training__seed=2)
    third = made(tmp_path / "c", start={"run": str(second), "recipe": tree(2), "earlier": []}, training__seed=3)
    assert seeds(read(second)) == [1]
    assert seeds(read(third)) == [2, 1]


def with_attempts(folder: Path, seeds: tuple[int, ...], *lines: dict[str, Any]) -> Path:
    """A treated run; its attempts have these seeds, the last one's is the run's own."""
    made(folder, training__seed=seeds[-1])
    for number, seed in enumerate(seeds[:-1], start=1):
        made(folder / "attempts" / str(number), training__seed=seed, training__kimg=80)
    (folder / "treatments.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def treatment(number: int) -> dict[str, Any]:
    one = Treatment(number, 9, 0.1, 1.0, ["x"], "x", "slower", "Lower it", {}, "", None, "5 steps", 1, {})
    return one.to_json()


def test_a_treated_run_comes_from_its_attempts_and_has_their_whole_budget(tmp_path: Path) -> None:
    before = made(tmp_path / "before", training__seed=1)
    run = with_attempts(tmp_path / "run", (2, 3, 4), treatment(1), treatment(2))
    made(run / "attempts" / "1", file=before / "recipe.yaml", training__seed=2, training__kimg=80)
    assert seeds(read(run)) == [3, 2, 1]
    assert read(run).budget == ("training.kimg=80.0",)
    assert read(before).budget == ()


def test_a_treated_run_that_holds_an_earlier_attempt_comes_from_those_before_that_one(tmp_path: Path) -> None:
    end = Ending(2, 3, {}, "failing", 1.0, {}).to_json()
    run = with_attempts(tmp_path / "run", (1, 2, 3), treatment(1), treatment(2), end)
    (run / "attempts" / "2").rename(run / "attempts" / "3")
    assert seeds(read(run)) == [1]


def test_a_recipe_that_is_no_runs_is_none_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(recipe_text(resolve("fast")))
    assert read(made(tmp_path / "a", file=tmp_path / "mine.yaml")).earlier == ()


def test_runs_that_name_each_other_end(tmp_path: Path) -> None:
    a, b = (made(tmp_path / one, file=tmp_path / other / "recipe.yaml") for one, other in ("ab", "ba"))
    assert 1 < len(read(a).earlier) < 50
    assert 1 < len(read(b).earlier) < 50


@pytest.mark.parametrize("start", [[], {}, {"recipe": 3}, {"recipe": {"training": {}}}, {"run": 5, "recipe": None}])
def test_a_start_that_cannot_be_read_tells_nothing(tmp_path: Path, start: Any) -> None:
    assert read(made(tmp_path / "a", start=start)).earlier == ()
