"""`--from`: which checkpoint of which run a new run starts from, and what the command takes over of that run's recipe.

Nothing is written here; `training/take_over.py` gives the weights to the new networks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from ganglion.data.given import Images, cannot_be_named, is_named, name_of
from ganglion.errors import CheckpointError, DataError, RecipeError, RunError
from ganglion.recipe.resolve import Request, parse_assignments, requested_recipe, update
from ganglion.recipe.schema import Recipe
from ganglion.runs.attempts import first_attempt
from ganglion.runs.checkpoints import TrainingProgress, named_checkpoint, read_checkpoint
from ganglion.runs.folder import Run, default_run

__all__ = ["START_FILE", "Begun", "Origin", "begun_from", "recipes_before", "start_of"]

START_FILE = "start.json"
"""In the new run: where it started, what it took over, and the other run's recipe. It is written when the start is complete."""

KEY = "training.start_from"


@dataclass(frozen=True)
class Origin:
    """The checkpoint that a run starts from, in memory."""

    run: Path
    which: str
    """best, latest or a step."""
    recipe: Recipe
    progress: TrainingProgress
    tensors: Mapping[str, Mapping[str, Tensor]]
    """By file and name."""

    def __str__(self) -> str:
        return f"{self.run}:{self.which}"


class Begun(NamedTuple):
    """The command with what it left out filled in."""

    source: Images | None
    request: Request
    origin: Origin | None = None
    """None where the run does not start from another one, or has started: it goes on from checkpoints of its own."""
    reasons: tuple[str, ...] = ()
    """What was taken over because the command left it out, a line each."""


def begun_from(source: Images | None, request: Request, folder: Path | None, fresh: bool) -> Begun:
    """Fills in source and recipe from the run that the command starts from, and reads its checkpoint.

    `folder` is the new run's, None where it is not named. Raises RunError, CheckpointError, RecipeError, DataError.
    """
    text = _text(request)
    if text is None:
        return Begun(source, request)
    asked: Request = {**request, "start_from": text}
    started = start_of(folder, text) if folder and not fresh else None
    begun = _filled_in(source, asked, started or _other(text)[0].recipe, text)
    if folder is None:
        folder = default_run(requested_recipe(name_of(begun.source), **begun.request))
        if not fresh and (started := start_of(folder, text)):
            begun = _filled_in(source, asked, started, text)
    return begun if started else begun._replace(origin=_origin(text, folder, fresh))


def start_of(folder: Path, text: str | None) -> Recipe | None:
    """The other run's recipe at the time when the run in `folder` started from `text`; None where it has not started so."""
    run, first = Run(folder), first_attempt(folder)
    if first != folder and text is not None and Run(first).recipe.training.start_from == text:
        run = Run(first)  # it has been treated since
    elif not run.exists or run.recipe.training.start_from != text or not run.steps_saved():
        return None
    try:
        return Recipe.model_validate(json.loads((run.path / START_FILE).read_text(encoding="utf-8"))["recipe"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def recipes_before(run: Path) -> list[dict[str, Any]]:
    """Recipes of the runs that `run` comes from, newest first; empty where its first weights were drawn."""
    try:
        facts = json.loads((run / START_FILE).read_text(encoding="utf-8"))
        return [facts["recipe"], *facts.get("earlier", [])]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _text(request: Request) -> str | None:
    """RUN or RUN:CHECKPOINT as the command, its assignments or its recipe say; a slash at the end does not count."""
    extra = request.get("set", ())
    given = dict(extra) if isinstance(extra, Mapping) else parse_assignments(extra)
    text: object = request.get("start_from")
    if text is None:
        text = given[KEY] if KEY in given else requested_recipe(None, **request).training.start_from
    if text is None:
        return None
    if not isinstance(text, str | Path) or not str(text).strip():
        raise RecipeError(f"{KEY} is a run folder, with :best, :latest or :STEP after it or nothing; got {text!r}")
    run, which = _parsed(str(text))
    return f"{run}:{which}" if which else str(run)


def _parsed(text: str) -> tuple[Path, str | None]:
    """The run folder, and which checkpoint of it; a folder whose name ends as a checkpoint does is itself."""
    found = re.fullmatch(r"(.+):(best|latest|\d+)", text)
    if found is None or Run(text).exists:
        return Path(text), None
    return Path(found[1]), found[2]


def _other(text: str) -> tuple[Run, str]:
    """The run that `text` names, and which checkpoint. Raises RunError."""
    path, which = _parsed(text)
    if not Run(path).exists:
        raise RunError(
            f"--from {text}: {path} is not a run (a folder with recipe.yaml); --from takes RUN, RUN:best, RUN:latest or "
            "RUN:STEP. A run that has started from it no longer needs it: name that run with --run"
        )
    return Run(path), which or "best"


def _filled_in(source: Images | None, request: Request, other: Recipe, text: str) -> Begun:
    """With the other run's recipe where none is named, and its source. Raises DataError, RecipeError."""
    reasons: list[str] = []
    if request.get("recipe", "auto") == "auto":
        same = is_named(source) and source is not None and str(source) == other.data.source
        named = source is not None and not same  # what only the other images could say is left open
        open_again: dict[str, Any] = {"data__data_dir": None, "data__held_out_images": None, "data__trim_box": None}
        open_again["data__white_level"] = None
        open_again |= dict.fromkeys(("data__fit", "data__trim", "data__resample"), "auto")
        base = update(other, **open_again) if named else other
        request = {**request, "recipe": base}
        reasons.append(f"the recipe of {text}, {base.name}, with what this command names; --recipe takes another")
    if source is not None:
        return Begun(source, request, None, tuple(reasons))
    if requested_recipe(None, **request).data.source is None:
        source = other.data.source
        request = {**request, "data_dir": request.get("data_dir") or other.data.data_dir}
    where = requested_recipe(name_of(source), **request).data.source
    if where is None or cannot_be_named(where):
        raise DataError(
            f"{text} was trained on {where}, which no command line can name: name a file or folder of images, or call "
            "ganglion.train with them"
        )
    if where == other.data.source:
        reasons.append(f"the images of {text}, {where}; another SOURCE takes others")
    return Begun(source, request, None, tuple(reasons))


def _origin(text: str, folder: Path, fresh: bool) -> Origin:
    """Reads the checkpoint for a run in `folder`. Raises RunError, CheckpointError."""
    other, which = _other(text)
    if other.path.resolve() == folder.resolve() and not fresh:
        raise RunError(
            f"{folder} cannot start from itself: name another folder with --run, or add --fresh, which sets it aside "
            "once its weights are read"
        )
    checkpoint = named_checkpoint(other.checkpoints, which)
    try:
        tensors, progress = read_checkpoint(checkpoint)
    except CheckpointError as error:
        steps = ", ".join(map(str, other.steps_saved()))
        raise CheckpointError(
            f"--from {text}: {error}; name another one, {other.path}:STEP with a step of {steps}"
        ) from None
    return Origin(other.path, which, other.recipe, progress, tensors)
