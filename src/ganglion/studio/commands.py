"""The commands that pages start: a training, its continuation, and a new run with a remedy. As words of `ganglion`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ganglion.data.given import cannot_be_named
from ganglion.doctor.readers.run_folder import setup_of
from ganglion.doctor.verdict import Remedy
from ganglion.errors import RecipeError, RunError
from ganglion.platform.command_line import words_of
from ganglion.recipe.resolve import parse_assignments
from ganglion.runs.folder import Run

__all__ = [
    "Wanted",
    "continuing",
    "free_name",
    "minutes_of",
    "name_for",
    "settings_of",
    "with_remedy",
    "working_folder",
]


Taken = Callable[[Path], bool]
"""Whether a run that has no folder yet has been started in this place."""


PLACES = {"data.source", "data.data_dir", "data.labels", "training.start_from"}
"""Keys of a recipe that name files: a page has fields of its own for them."""


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
    for key, value in parse_assignments(lines).items():
        inside = {f"{key}.{name}" for name in value} if isinstance(value, Mapping) else set()
        for place in PLACES & {key, *inside}:
            raise RecipeError(f"{place} names files of this machine: give it to ganglion train on the command line")
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


def name_for(source: str, recipe: str, folder: Path, taken: Taken) -> str:
    """A new name of a run, from the names of its images and recipe."""
    stem = Path(source.replace(":", "-").replace("\\", "/")).name.split(".")[0]
    stem = "" if re.fullmatch(r"[0-9a-f]{16}", stem) else stem  # files that were dropped without a folder
    words = re.sub(r"[^\w.]+", "-", f"{stem or 'images'}-{recipe}").strip("-.") or "run"
    return free_name(words[:80], folder, taken)


def free_name(name: str, folder: Path, taken: Taken) -> str:
    """The name, with a number after it where there is something of that name, or is going to be."""
    stem = re.sub(r"-\d+$", "", name)
    names = [name, *(f"{stem}-{number}" for number in range(2, 10_000))]
    return next(one for one in names if not (folder / one).exists() and not taken(folder / one))


def with_remedy(remedy: Remedy, new: Path) -> list[str]:
    """The remedy's command for its run, with the new run in `new`. Raises RunError where no command can."""
    program, *words = words_of(remedy.command) or ("",)
    if program != "ganglion" or "--run" not in words:
        raise RunError(f"this remedy is no change of the recipe, or of a run that no command can start: {remedy.what}")
    words[words.index("--run") + 1] = str(new)
    return words


def continuing(run: Path) -> list[str]:
    """The command that resumes a run. Raises RunError where no command can."""
    opened = Run(run)
    recipe, source = opened.recipe, str(opened.recipe.data.source)
    if cannot_be_named(source) or recipe.data.source is None:
        raise RunError(f"{run.name} was trained on images in memory, which no command can name: use ganglion.train")
    words = ["train", "--run", str(run), "--recipe", str(opened.recipe_path)]
    if opened.networks_path.is_file():
        words += ["--networks", str(opened.networks_path)]
    elif "custom" in (recipe.generator.family, recipe.discriminator.family, recipe.objective.adversarial):
        raise RunError(f"{run.name} has networks or a loss of a program, which no command can name: use ganglion.train")
    if recipe.data.data_dir:
        words += ["--data-dir", recipe.data.data_dir]
    setup = setup_of(run)
    return [*words, *(setup.options if setup else ()), "--", source]


def working_folder(run: Path) -> Path | None:
    """The directory in which the run's command was given, from which relative paths of images are meant; None where unknown."""
    named = Run(run).environment().get("folder")
    return Path(named) if isinstance(named, str) and Path(named).is_dir() else None
