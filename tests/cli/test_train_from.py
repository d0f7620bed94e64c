from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

import ganglion

Command = Callable[..., Any]


def test_from_starts_a_new_run_with_the_other_ones_weights(
    command: Command, tiny_run: ganglion.Run, tmp_path: Path
) -> None:
    words = ("train", "--from", f"{tiny_run.path}:latest", "--run", tmp_path / "new", "--steps", 2, "--no-report")
    done = command(*words)
    assert done.code == 0, done.said
    assert f"Starting from {tiny_run.path}, step 30" in done.said
    start = json.loads((tmp_path / "new" / "start.json").read_text())
    assert (start["from"], start["step"]) == (f"{tiny_run.path}:latest", 30)


def test_a_dry_run_prints_the_recipe_with_what_the_command_changes(
    command: Command, tiny_run: ganglion.Run, tmp_path: Path
) -> None:
    shown = command("train", "--from", tiny_run.path, "--size", 32, "--run", tmp_path / "new", "--dry-run")
    tree = yaml.safe_load(shown.out)
    assert (tree["data"]["source"], tree["data"]["size"], tree["generator"]["width"]) == ("digits", [32, 32], 4)
    assert tree["training"]["start_from"] == str(tiny_run.path)
    assert shown.out.startswith(f"# auto: the recipe of {tiny_run.path}, dcgan")
    assert not (tmp_path / "new").exists()


def test_a_run_that_is_not_there_is_said(refused: Callable[..., str], tmp_path: Path) -> None:
    said = refused("train", "--from", tmp_path / "gone", "--run", tmp_path / "new")
    assert "gone is not a run" in said
