"""From a preset's name, a file or keywords, and overrides, to one resolved recipe. Nothing but YAML files is read here."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, TypedDict, Unpack

import yaml
from pydantic import ValidationError

from ganglion.errors import RecipeError
from ganglion.recipe.explain import did_you_mean, explain, keys_of_choice
from ganglion.recipe.schema import Recipe
from ganglion.recipe.size import Size

__all__ = [
    "BUDGETS",
    "Request",
    "flatten",
    "parse_assignments",
    "preset_names",
    "preset_text",
    "recipe_text",
    "requested_recipe",
    "resolve",
    "update",
]


BUDGETS = ("training.kimg", "training.steps", "training.minutes")
TAGS = ("family", "kind")
"""Keys that choose which part stands in a place, and with it which other keys are there."""


def preset_names() -> list[str]:
    """Names of the recipes that come with Ganglion."""
    return sorted(
        path.name.removesuffix(".yaml")
        for path in files("ganglion.recipe").joinpath("presets").iterdir()
        if path.name.endswith(".yaml")
    )


def preset_text(name: str) -> str:
    """The YAML text of a preset, with its comments."""
    if name not in preset_names():
        raise RecipeError(
            f"there is no recipe {name!r}; there are {', '.join(preset_names())}{did_you_mean(name, preset_names())}"
        )
    return files("ganglion.recipe").joinpath("presets", f"{name}.yaml").read_text(encoding="utf-8")


def resolve(recipe: str | Path | Recipe = "auto", overrides: Mapping[str, object] | None = None) -> Recipe:
    """The recipe that `recipe` (a preset's name, a YAML file or a recipe) becomes under `overrides` by dotted key.

    Setting one budget (kimg, steps, minutes) replaces whichever the recipe had. Raises RecipeError.
    """
    tree = _tree_of(recipe)
    overrides = dict(overrides or {})
    budgets = [key for key in BUDGETS if overrides.get(key) is not None]
    if len(budgets) > 1:
        raise RecipeError(f"a run has one budget; got {' and '.join(budgets)}: leave all but one out")
    for key in BUDGETS if budgets else ():
        overrides.setdefault(key, None)
    for key in sorted(overrides, key=lambda key: key.rpartition(".")[2] not in TAGS):  # which part, before its values
        _put(tree, key, overrides[key])
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        raise RecipeError(explain(error, Recipe)) from None


def update(recipe: Recipe, **values: object) -> Recipe:
    """A copy with `values` by key (two underscores for a dot), validated again."""
    return resolve(recipe, {key.replace("__", "."): value for key, value in values.items()})


def parse_assignments(assignments: Iterable[str]) -> dict[str, object]:
    """`["a.b=1", "c=x"]` as a mapping; values are read as YAML. Raises RecipeError."""
    overrides: dict[str, object] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key.strip():
            raise RecipeError(f"--set takes KEY=VALUE, for example --set generator.width=32; got {assignment!r}")
        try:
            overrides[key.strip()] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError):  # ValueError: a date such as 2024-13-45
            raise RecipeError(f"--set {key.strip()}: {value!r} is not a YAML value") from None
    return overrides


def flatten(recipe: Recipe) -> dict[str, object]:
    """Every value by its dotted key, in the schema's order; sizes as text."""
    flat: dict[str, object] = {}

    def walk(tree: Mapping[str, Any], prefix: str) -> None:
        for key, value in tree.items():
            if isinstance(value, Mapping):
                walk(value, f"{prefix}{key}.")
            else:
                flat[prefix + key] = value

    walk(recipe.model_dump(mode="json"), "")
    return flat


def recipe_text(recipe: Recipe) -> str:
    """The recipe as YAML, every value written out."""
    tree = recipe.model_dump(mode="json")
    return yaml.dump(tree, Dumper=Writer, sort_keys=False, allow_unicode=True, default_flow_style=None)


class Writer(yaml.SafeDumper):
    """PyYAML writes Unicode's own line breaks as they are, and reads them back as spaces: they are escaped instead."""


def _text(writer: Writer, text: str) -> yaml.Node:
    style = '"' if set(text) & set("\x85\u2028\u2029") else None
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Writer.add_representer(str, _text)


def _tree_of(recipe: str | Path | Recipe) -> dict[str, Any]:
    if isinstance(recipe, Recipe):
        return recipe.model_dump(mode="json")
    if str(recipe) in preset_names():
        return {"name": str(recipe), **_parse(preset_text(str(recipe)), str(recipe))}
    path = Path(recipe)
    if path.suffix not in {".yaml", ".yml"} and not path.is_file():
        preset_text(str(recipe))  # no such preset: says which there are
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"the recipe {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return {"name": path.stem, **_parse(text, str(path))}


def _parse(text: str, origin: str) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-45
        raise RecipeError(f"the recipe {origin} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise RecipeError(f"the recipe {origin} must be a mapping of keys to values; it is {type(tree).__name__}")
    return copy.deepcopy(tree)


def _put(tree: dict[str, Any], key: str, value: object) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        branch = tree.setdefault(parent, {})
        if not isinstance(branch, dict):
            raise RecipeError(f"{key}: {parent} is a single value and has no parts")
        tree = branch
    if last in TAGS and tree.get(last, value) != value:
        _keep_what_fits(tree, ".".join(parents), str(value))
    tree[last] = value


def _keep_what_fits(tree: dict[str, Any], place: str, choice: str) -> None:
    """Another family takes over of the old one's values those that it knows too, such as the width."""
    known = keys_of_choice(Recipe, place, choice)
    for key in [key for key in tree if known and key not in known]:
        del tree[key]


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
    start_from: str | Path | None
    """Begin with the weights of another run: RUN, RUN:best, RUN:latest or RUN:STEP."""
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
    "start_from": "training.start_from",
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
