"""What is known before a training: the images, the recipe, the forecast. The commands `data`, `train --dry-run` and `check`.

They run in processes of their own, so that a damaged image, or a trial that takes all memory, ends them and not the studio.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ganglion.errors import DataError, GanglionError
from ganglion.recipe.resolve import preset_text, requested_recipe
from ganglion.recipe.schema import Recipe
from ganglion.studio.commands import Wanted

__all__ = ["Forecast", "Look", "about_recipe", "forecast", "look_at"]


LONGEST_SEC = 1800.0
SHOWN_ELSEWHERE = ("fit ", "trim ", "resample ", "size ")

Command = Callable[[Sequence[str]], str]
"""Runs `ganglion ARGUMENTS`; returns its standard output. Raises DataError with what it said."""


@dataclass(frozen=True)
class Look:
    """What was found among the images, and what a training would do with them."""

    facts: dict[str, Any]
    """As `ganglion data --json` prints them."""
    preview: bytes
    """PNG of the images as training sees them."""
    augmented: bytes | None
    """PNG of some images with augmented copies; None where the recipe does not augment."""
    reasons: list[str]
    """Why auto chose what it did."""
    recipe: str
    """The recipe that was chosen."""


@dataclass(frozen=True)
class Forecast:
    """The result of `ganglion check --json`."""

    tree: dict[str, Any]

    @property
    def remarks(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.tree["remarks"]
        return found


def about_recipe(name: str) -> str:
    """A preset's opening comment, which says what it is for; of auto, how it chooses."""
    if name == "auto":
        return (
            "Chosen from the number, size, channels and classes of the images, and from this machine, with the reasons."
        )
    lines = []
    for line in preset_text(name).splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines).replace("`", "")


def look_at(wanted: Wanted, folder: Path, command: Command | None = None) -> Look:
    """Scans the images, and resolves the recipe. `folder` is for files that are gone at the end. Raises DataError."""
    run = command or ganglion_command
    recipe, reasons = _recipe(wanted, run)
    augment = recipe.augment
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        preview = Path(temporary) / "preview.png"
        words = ["data", "--json", "--preview", str(preview), *(["--size", wanted.size] if wanted.size else [])]
        words += [word for one in wanted.settings if one.startswith("data.") for word in ("--set", one)]
        if augment.kind != "none":
            words += ["--augment", augment.kind, "--set", f"augment={augment.model_dump_json()}"]
        facts = json.loads(run([*words, "--", wanted.source]))
        augmented = Path(facts["augmented"]).read_bytes() if facts.get("augmented") else None
        return Look(facts, preview.read_bytes(), augmented, reasons, recipe.name)


def _recipe(wanted: Wanted, run: Command) -> tuple[Recipe, list[str]]:
    """The recipe, and the reasons of auto, which has to see the images; without those shown beside a value."""
    if wanted.recipe != "auto":
        return requested_recipe(wanted.source, recipe=wanted.recipe, size=wanted.size or None, set=wanted.settings), []
    text = run(["train", "--dry-run", *wanted.arguments(Path("none"))[3:]])
    reasons = [line.removeprefix("# auto:").strip() for line in text.splitlines() if line.startswith("# auto:")]
    return Recipe.model_validate(yaml.safe_load(text)), [one for one in reasons if not one.startswith(SHOWN_ELSEWHERE)]


def forecast(wanted: Wanted, command: Command | None = None) -> Forecast:
    """Trial steps: speed, memory, minutes, risks. Some ten seconds. Raises DataError."""
    words = wanted.arguments(Path("none"))[3:]
    return Forecast(json.loads((command or ganglion_command)(["check", "--json", *words])))


def ganglion_command(arguments: Sequence[str]) -> str:
    """Runs it. Raises DataError with the error that it printed."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ganglion.cli.app", *arguments], capture_output=True, text=True, encoding="utf-8",
            errors="replace", stdin=subprocess.DEVNULL, timeout=LONGEST_SEC,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise DataError(
            f"this took longer than {LONGEST_SEC / 60:.0f} minutes and was ended: use the command line"
        ) from None
    if done.returncode == 0:
        return done.stdout
    raise failure_of(done.stderr, done.returncode)


def failure_of(text: str, code: int) -> GanglionError:
    """The error that a command printed, as an exception."""
    lines = text.strip().splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("error:")]
    if starts:
        return DataError("\n".join(lines[starts[0] :]).removeprefix("error:").strip())
    boxed = [line.strip("│ ").strip() for line in lines if line.startswith("│")]  # wrong usage, as Typer prints it
    said = " ".join(boxed) or (lines[-1] if lines else "nothing was printed")
    return DataError(f"the command ended with code {code}: {said}")
