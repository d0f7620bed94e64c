"""The command that starts a run like another one, with something changed."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from ganglion.doctor.run_setup import RunSetup, assignments, changed, command
from ganglion.recipe.resolve import parse_assignments, resolve

SETTLED = {"data.source": "my photos", "data.size": "32x16", "data.channels": 3, "training.seed": 4}
LOWER = ("optimizer.discriminator.lr=0.001",)


def setup(**more: Any) -> RunSetup:
    recipe = more.pop("recipe", {})
    return RunSetup(resolve("fast", SETTLED | recipe), **{"run": "runs/a b", "has_checkpoint": True} | more)


def words(*asked: Any, **more: Any) -> list[str]:
    return shlex.split(command(*asked, **more))


def test_a_new_run_goes_on_from_the_best_weights_of_the_old_one() -> None:
    assert command(setup(options=("--device", "cpu")), "slow", LOWER) == (
        "ganglion train 'my photos' --from 'runs/a b:best' --run 'runs/a b-slow' --device cpu "
        "--set optimizer.discriminator.lr=0.001"
    )


@pytest.mark.parametrize(
    ("how", "settings", "fresh"),
    [
        ({}, LOWER, True),
        ({"has_checkpoint": False}, LOWER, False),
        ({}, ("discriminator.width=8",), False),
        ({}, ("latent.dim=8",), False),
        ({}, ("init.scheme=normal",), False),
    ],
)
def test_where_weights_are_of_no_use_it_starts_over_with_the_old_ones_recipe(
    how: dict[str, Any], settings: tuple[str, ...], fresh: bool
) -> None:
    line = words(setup(**how), "new", settings, fresh=fresh)
    assert line[:7] == ["ganglion", "train", "my photos", "--recipe", "runs/a b/recipe.yaml", "--run", "runs/a b-new"]


def test_one_that_starts_over_does_not_start_where_the_old_one_did() -> None:
    line = words(setup(recipe={"training.start_from": "runs/z"}), "new", LOWER, fresh=True)
    assert line[-2:] == ["--set", "training.start_from=null"]
    assert parse_assignments(line[-1:]) == {"training.start_from": None}


def test_a_run_that_was_treated_is_followed_by_one_with_its_whole_budget() -> None:
    whole = ("training.kimg=80.0",)
    assert words(setup(budget=whole), "new", LOWER)[-2:] == ["--kimg", "80.0"]
    assert words(setup(budget=whole), "new", LOWER, fresh=True)[-2:] == ["--kimg", "80.0"]
    other = words(setup(budget=whole), "another-recipe", (), "r3gan")
    assert other[-2:] == ["--kimg", "80.0"]
    assert "--minutes" not in other
    assert "'training.kimg': 80.0" in command(setup(budget=whole, in_memory=True), "x", LOWER)


def test_another_recipe_takes_over_images_size_budget_and_seed() -> None:
    line = words(setup(recipe={"data.fit": "pad", "data.data_dir": "/data"}), "another-recipe", (), "r3gan")
    kept = ["--set", "data.channels=3", "--set", "data.fit=pad", "--size", "32x16", "--minutes", "3.0", "--seed", "4"]
    assert line[:7] == ["ganglion", "train", "my photos", "--recipe", "r3gan", "--data-dir", "/data"]
    assert line[7:] == ["--run", "runs/a b-another-recipe", *kept]


def test_options_of_their_own_are_used_where_the_command_has_them() -> None:
    line = words(
        setup(), "x", assignments({"training.batch": 128, "training.precision": 32, "ema.halflife_kimg": 20.0})
    )
    assert line[-6:] == ["--batch", "128", "--precision", "32", "--set", "ema.halflife_kimg=20.0"]


def test_a_folder_that_is_there_is_not_taken_again() -> None:
    taken = frozenset({"runs/a b-x", "runs/a b-x-2", "runs/a b-y-2"})
    assert [setup(taken=taken).new_run(name) for name in "xyz"] == ["runs/a b-x-3", "runs/a b-y", "runs/a b-z"]


def test_names_that_begin_with_a_dash_are_no_options() -> None:
    line = words(setup(run="-runs", recipe={"data.source": "-photos"}), "x", LOWER)
    assert line[2:7] == ["./-photos", "--from", "./-runs:best", "--run", "./-runs-x"]


def test_networks_in_a_file_are_taken_from_the_run() -> None:
    own = {
        f"{p}.{k}": v
        for p in ("generator", "discriminator")
        for k, v in (("family", "custom"), ("digest", "0"), ("file", True))
    }
    line = words(setup(recipe=own), "x", LOWER)
    assert line[line.index("--networks") + 1] == "runs/a b/networks.py"


def test_what_was_given_in_python_is_given_again_in_python() -> None:
    modules = {
        f"{p}.{k}": v for p in ("generator", "discriminator") for k, v in (("family", "custom"), ("digest", "0"))
    }
    loss = {"objective.adversarial": "custom", "objective.custom_loss": {"name": "mine"}}
    assert command(setup(recipe=modules | loss, in_memory=True), "x", LOWER) == (
        "ganglion.train(images, recipe='runs/a b/recipe.yaml', start_from='runs/a b:best', run='runs/a b-x', "
        "set={'optimizer.discriminator.lr': 0.001}, generator=G, discriminator=D, adversarial=loss)"
    )
    replaced = assignments({"objective.adversarial": "hinge", "objective.custom_loss": None})
    assert command(setup(recipe=loss), "x", replaced).startswith("ganglion train 'my photos' --from")


def test_settings_are_read_as_a_command_line_reads_them() -> None:
    recipe = resolve("fast", SETTLED)
    penalties = [{"kind": "r1", "weight": 2.0, "interval_updates": 4}]
    new = changed(recipe, assignments({"objective.penalties": penalties, "objective.weight_clip": None}))
    assert new is not None
    assert [penalty.model_dump() for penalty in new.objective.penalties] == penalties


@pytest.mark.parametrize(
    "settings", [("latent.dim=32",), ("no.such.key=1",), ("discriminator.norm=batch",), ("optimizer.schedule=cosine",)]
)
def test_what_changes_nothing_or_is_refused_is_no_change(settings: tuple[str, ...]) -> None:
    assert changed(resolve("fast", SETTLED), settings) is None
