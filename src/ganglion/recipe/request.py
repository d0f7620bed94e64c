"""What a person asks for, by the keywords of `ganglion.train` and the options of the command, as a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypedDict, Unpack

from ganglion.recipe.resolve import parse_assignments, resolve
from ganglion.recipe.schema import Recipe
from ganglion.recipe.size import Size

__all__ = ["Request", "requested_recipe"]


class Request(TypedDict, total=False):
    """The keywords; what is left out is the recipe's own."""

    recipe: str | Path | Recipe
    """A preset's name, a YAML file or a recipe."""
    size: int | str | Size | None
    """64 or "96x64" (height x width)."""
    kimg: float | None
    steps: int | None
    minutes: float | None
    batch: int | None
    seed: int | None
    precision: str | None
    data_dir: str | Path | None
    stop_when_failing: bool | None
    """End training as soon as the verdict is failing."""
    stop_when_done: bool | None
    """End training when samples come no nearer to the data."""
    set: Iterable[str] | Mapping[str, object]
    """Any value: a mapping by dotted key, or "KEY=VALUE" texts."""


KEYS = {
    "size": "data.size",
    "data_dir": "data.data_dir",
    "kimg": "training.kimg",
    "steps": "training.steps",
    "minutes": "training.minutes",
    "batch": "training.batch",
    "seed": "training.seed",
    "precision": "training.precision",
    "stop_when_failing": "training.stop_when_failing",
    "stop_when_done": "training.stop_when_done",
}
"""Where each keyword stands in a recipe."""


def requested_recipe(source: str | Path | None = None, **asked: Unpack[Request]) -> Recipe:
    """The recipe that these words mean, before the images are known; a keyword wins over `set`. Raises RecipeError."""
    unknown = asked.keys() - Request.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown keyword {sorted(unknown)[0]!r}; keywords are {', '.join(Request.__annotations__)}")
    given: dict[str, object] = {key: asked.get(keyword) for keyword, key in KEYS.items()}
    given |= {"data.source": source}
    paths = {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}
    extra = asked.get("set", ())
    overrides = dict(extra) if isinstance(extra, Mapping) else parse_assignments(extra)
    named = {key: value for key, value in paths.items() if value is not None}
    return resolve(asked.get("recipe", "auto"), overrides | named)
