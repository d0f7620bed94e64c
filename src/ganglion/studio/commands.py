"""The commands that pages start: a training, its continuation, and a new run with a remedy. As words of `ganglion`."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganglion.data.given import cannot_be_named
from ganglion.doctor.verdict import Remedy
from ganglion.errors import RecipeError, RunError
from ganglion.recipe.resolve import parse_assignments
from ganglion.recipe.schema import Recipe
from ganglion.recipe.size import size_text
from ganglion.runs.folder import Run

__all__ = ["Wanted", "continuing", "free_name", "minutes_of", "name_for", "settings_of", "with_remedy"]


PLACES = ("data.source", "data.data_dir", "data.labels", "training.start_from")
"""Keys of a recipe that name files: a page has fields of its own for them."""
DROPPED = {"--fresh"}  # a new run has a folder of its own


@dataclass(frozen=True)
class Wanted:
    """A training as the form of the page Train describes it."""

    source: str
    recipe: str = "auto"
    size: str = ""
    """64, or 96x64 for height x width; empty: chosen from the images."""
    minutes: float | None = None
    """None: the recipe's budget."""
    settings: tuple[str, ...] = ()
    """KEY=VALUE, any values of the recipe."""

    def arguments(self, run: Path) -> list[str]:
        """`train ...`. The source comes last, after --, so that no name is taken for an option."""
        words = ["train", "--run", str(run), "--recipe", self.recipe]
        words += ["--size", self.size] if self.size else []
        words += ["--minutes", f"{self.minutes:g}"] if self.minutes is not None else []
        words += [word for setting in self.settings for word in ("--set", setting)]
        return [*words, "--", self.source]


def settings_of(text: str) -> tuple[str, ...]:
    """KEY=VALUE lines of a text field, checked for their form. Raises RecipeError."""
    lines = tuple(line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))
    for key in parse_assignments(lines):
        if key in PLACES:
            raise RecipeError(f"{key} names files of this machine: give it to ganglion train on the command line")
    return lines


def minutes_of(text: str) -> float | None:
    """Minutes as they were typed; None of an empty field. Raises RecipeError."""
    text = (text or "").strip().replace(",", ".")
    if not text:
        return None
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise RecipeError(f"Minutes: expected a number above 0, or nothing for the recipe's; got {text[:40]!r}")
    return minutes


def name_for(source: str, recipe: str, folder: Path) -> str:
    """A new name of a run, from the names of its images and recipe."""
    stem = Path(source.replace(":", "-").replace("\\", "/")).name.split(".")[0]
    stem = "" if re.fullmatch(r"[0-9a-f]{16}", stem) else stem  # files that were dropped without a folder
    words = re.sub(r"[^\w.]+", "-", f"{stem or 'images'}-{recipe}").strip("-.") or "run"
    return free_name(words[:80], folder)


def free_name(name: str, folder: Path) -> str:
    """The name, with a number after it where there is something of that name."""
    stem = re.sub(r"-\d+$", "", name)
    names = [name, *(f"{stem}-{number}" for number in range(2, 10_000))]
    return next(one for one in names if not (folder / one).exists())


def continuing(run: Path) -> list[str]:
    """The command that resumes a run. Raises RunError where no command can."""
    return _again(run, run, [])


def with_remedy(run: Path, remedy: Remedy, new: Path) -> list[str]:
    """The command for a new run like `run` with the change that a remedy names. Raises RunError where no command can."""
    changes = [word for word in shlex.split(remedy.recipe) if word not in DROPPED]
    if not changes:
        raise RunError(f"this remedy has no options of ganglion train: {remedy.what}")
    return _again(run, new, changes)


def _again(run: Path, target: Path, changes: Sequence[str]) -> list[str]:
    opened = Run(run)
    recipe, source = opened.recipe, str(opened.recipe.data.source)
    if cannot_be_named(source) or recipe.data.source is None:
        raise RunError(f"{run.name} was trained on images in memory, which no command can name: use ganglion.train")
    words = ["train", "--run", str(target)]
    if "--recipe" in changes:  # another recipe keeps what is said of the images and the length
        words += _budget(recipe) + (["--size", size_text(recipe.data.size)] if recipe.data.size else [])
    else:
        words += ["--recipe", str(opened.recipe_path)]
    if opened.networks_path.is_file():
        words += ["--networks", str(opened.networks_path)]
    elif "custom" in (recipe.generator.family, recipe.discriminator.family, recipe.objective.adversarial):
        raise RunError(f"{run.name} has networks or a loss of a program, which no command can name: use ganglion.train")
    if recipe.data.data_dir:
        words += ["--data-dir", recipe.data.data_dir]
    return [*words, *changes, "--", source]


def _budget(recipe: Recipe) -> list[str]:
    found = ((name, getattr(recipe.training, name)) for name in ("kimg", "steps", "minutes"))
    return [word for name, value in found if value is not None for word in (f"--{name}", json.dumps(value))]
