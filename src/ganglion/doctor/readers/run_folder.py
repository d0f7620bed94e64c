"""How the run in a folder was started: its recipe, its command, and the runs that it comes from. Nothing is written here."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ganglion.doctor.readers.treatments import attempt_folder, ending_of, treatments_of
from ganglion.doctor.run_setup import RunSetup, assignments
from ganglion.errors import RecipeError
from ganglion.platform.command_line import options_of
from ganglion.recipe.resolve import BUDGETS, flatten, resolve
from ganglion.recipe.schema import Recipe

__all__ = ["setup_of", "with_checkpoint"]

KEPT = {"--device": 1, "--devices": 1, "--nodes": 1, "--threads": 1, "--log": 1, "--no-report": 0, "--quiet": 0}
"""Options of `ganglion train` that are not in the recipe, and how many words each takes."""
MOST_RUNS = 8  # that a run comes from
IN_PYTHON = ", given in Python"  # as data/given.py describes images in memory
LONGEST_HEADER = 2**26  # bytes of a safetensors file's table of names


def setup_of(folder: Path) -> RunSetup | None:
    """None where the folder holds no recipe that can be read."""
    try:
        recipe = resolve(folder / "recipe.yaml")
    except RecipeError:
        return None
    named = str(folder.resolve() if folder == Path() else folder)
    line, source = _command(folder), recipe.data.source
    setup = RunSetup(
        recipe, named, _taken(named), options_of(line, KEPT), in_memory=source is None or source.endswith(IN_PYTHON),
        budget=_whole_budget(folder), earlier=tuple(_earlier(folder)),
    )  # fmt: skip
    return with_checkpoint(setup, folder)


def with_checkpoint(setup: RunSetup, folder: Path) -> RunSetup:
    """With what the checkpoints tell, where there are any."""
    if not (folder / "checkpoints" / "best").is_file():
        return setup
    norms = _has_batch_norm(folder) if setup.recipe.discriminator.family == "custom" else None
    return replace(setup, has_checkpoint=True, d_batch_norm=norms)


def _taken(run: str) -> frozenset[str]:
    """What is beside the run and begins with its name."""
    folder = Path(run)
    try:
        return frozenset(str(one) for one in folder.parent.iterdir() if one.name.startswith(folder.name))
    except OSError:
        return frozenset()


def _json(path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _command(folder: Path) -> str:
    """The command of the run; empty where it was no `ganglion train`."""
    line = str(_json(folder / "environment.json").get("command", ""))
    return line if re.match(r"\S*ganglion\S* train ", line) else ""


def _whole_budget(folder: Path) -> tuple[str, ...]:
    """Of a run that was treated, as a setting; empty of another one."""
    first = attempt_folder(folder, 1)
    if not (first / "recipe.yaml").is_file():
        return ()
    with contextlib.suppress(RecipeError):
        values = flatten(resolve(first / "recipe.yaml"))
        return assignments({key: values[key] for key in BUDGETS if values[key] is not None})
    return ()


def _attempts(folder: Path) -> list[Path]:
    """The attempts of a treated run before the one that it holds, newest first."""
    ending = ending_of(folder)
    last = len(treatments_of(folder)) if ending is None else ending.best - 1
    return [one for n in range(last, 0, -1) if ((one := attempt_folder(folder, n)) / "recipe.yaml").is_file()]


def _earlier(folder: Path, most: int = MOST_RUNS) -> Iterator[Recipe]:
    """Recipes of the runs that it comes from, newest first: its earlier attempts, then the runs whose weights it took, or whose
    recipe.yaml.
    """
    if attempts := _attempts(folder):
        with contextlib.suppress(RecipeError):
            yield from (resolve(one / "recipe.yaml") for one in attempts)
        yield from _earlier(attempts[-1], max(0, most - 1))
        return
    start = _json(folder / "start.json")
    file = _json(folder / "environment.json").get("recipe_file")
    before = Path(str(start["run"])) if "run" in start else Path(file).parent if isinstance(file, str) else None
    if before is not None and most and (before / "environment.json").is_file():
        with contextlib.suppress(RecipeError):
            yield _recipe(start["recipe"]) if "recipe" in start else resolve(before / "recipe.yaml")
            yield from _earlier(before, most - 1)
    elif "recipe" in start:  # the other run's folder is gone
        with contextlib.suppress(RecipeError, TypeError):
            yield from map(_recipe, (start["recipe"], *start.get("earlier", ())))


def _recipe(tree: Any) -> Recipe:
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        raise RecipeError(str(error)) from None


def _has_batch_norm(folder: Path) -> bool | None:
    """Whether D's newest weights hold running statistics; None without a checkpoint."""
    files = sorted((folder / "checkpoints").glob("*/discriminator.safetensors"))
    try:
        with files[-1].open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            names = json.loads(file.read(length)) if length <= LONGEST_HEADER else {}
    except (IndexError, OSError, ValueError):
        return None
    return any(name.endswith("running_mean") for name in names) if names else None
