"""What a person asks for, by the keywords of `ganglion.train` and the options of the command, as a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ganglion.recipe.resolve import parse_assignments, resolve
from ganglion.recipe.schema import Recipe

__all__ = ["requested_recipe"]


def requested_recipe(
    source: str | Path | None = None,
    *,
    recipe: str | Path | Recipe = "dcgan",
    size: object = None,
    kimg: float | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    batch: int | None = None,
    seed: int | None = None,
    precision: str | None = None,
    data_dir: str | Path | None = None,
    set: Iterable[str] | Mapping[str, object] = (),  # noqa: A002 (the keyword is the command's option)
) -> Recipe:
    """The recipe that these words mean, before the images are known; a keyword wins over `set`. Raises RecipeError."""
    given: dict[str, object] = {
        "data.source": None if source is None else str(source),
        "data.data_dir": None if data_dir is None else str(data_dir),
        "data.size": size,
        "training.kimg": kimg,
        "training.steps": steps,
        "training.minutes": minutes,
        "training.batch": batch,
        "training.seed": seed,
        "training.precision": precision,
    }
    overrides = dict(set) if isinstance(set, Mapping) else parse_assignments(set)
    return resolve(recipe, {**overrides, **{key: value for key, value in given.items() if value is not None}})
