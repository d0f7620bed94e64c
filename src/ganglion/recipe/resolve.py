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
    "AUTO",
    "BUDGETS",
    "KEYS",
    "Request",
    "flatten",
    "parse_assignments",
    "preset_names",
    "preset_text",
    "recipe_file",
    "recipe_text",
    "requested_recipe",
    "resolve",
    "update",
]


BUDGETS = ("training.kimg", "training.steps", "training.minutes")
TAGS = ("family", "kind")
"""Keys that select a part, and with it the other keys of that part."""


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
            f"there is no recipe {name!r}; recipes are {', '.join(preset_names())}{did_you_mean(name, preset_names())}"
        )
    return files("ganglion.recipe").joinpath("presets", f"{name}.yaml").read_text(encoding="utf-8")


def resolve(recipe: str | Path | Recipe = "auto", overrides: Mapping[str, object] | None = None) -> Recipe:
    """`recipe` (a preset's name, a YAML file or a recipe) with `overrides` by dotted key, validated.

    Setting one budget (kimg, steps, minutes) replaces the recipe's. Raises RecipeError.
    """
    tree = _tree_of(recipe)
    overrides = dict(overrides or {})
    budgets = [key for key in BUDGETS if overrides.get(key) is not None]
    if len(budgets) > 1:
        raise RecipeError(f"a run has one budget; got {' and '.join(budgets)}: set one of them")
    for key in BUDGETS if budgets else ():
        overrides.setdefault(key, None)
    for key in sorted(
        overrides, key=lambda key: key.rpartition(".")[2] not in TAGS
    ):  # select parts before setting values
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
    """The recipe as YAML, with every value."""
    tree = recipe.model_dump(mode="json")
    return yaml.dump(tree, Dumper=Writer, sort_keys=False, allow_unicode=True, default_flow_style=None)


class Writer(yaml.SafeDumper):
    """Escapes Unicode line breaks, which PyYAML writes verbatim and reads back as spaces."""


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
        preset_text(str(recipe))  # raises with the list of presets
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
            raise RecipeError(f"{key}: {parent} is a single value and has no keys")
        tree = branch
    if last in TAGS and tree.get(last, value) != value:
        _drop_unknown_keys(tree, ".".join(parents), str(value))
    tree[last] = value


def _drop_unknown_keys(tree: dict[str, Any], parent: str, choice: str) -> None:
    """When another part is selected, keeps the values that it also has, such as the width."""
    known = keys_of_choice(Recipe, parent, choice)
    for key in [key for key in tree if known and key not in known]:
        del tree[key]


AUTO = "auto"


class Request(TypedDict, total=False):
    """Keyword arguments; those left out keep the recipe's values."""

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
    deterministic: bool | None
    stop_when_failing: bool | None
    """End training as soon as the verdict is failing."""
    stop_when_done: bool | None
    """End training when the distance to the data no longer improves."""
    treat: bool | None
    """At a failing verdict go back, and go on with the first remedy that fits; at most three times."""
    start_from: str | Path | None
    """Begin with the weights of another run: RUN, RUN:best, RUN:latest or RUN:STEP."""
    set: Iterable[str] | Mapping[str, object]
    """Any values: a mapping by dotted key, or "KEY=VALUE" strings."""


KEYS = {
    "size": "data.size",
    "data_dir": "data.data_dir",
    "kimg": "training.kimg",
    "steps": "training.steps",
    "minutes": "training.minutes",
    "batch": "training.batch",
    "seed": "training.seed",
    "precision": "training.precision",
    "deterministic": "training.deterministic",
    "stop_when_failing": "training.stop_when_failing",
    "stop_when_done": "training.stop_when_done",
    "treat": "training.treat",
    "start_from": "training.start_from",
}
"""The recipe's key for each keyword."""


def recipe_file(request: Request) -> Path | None:
    """The file that a request's recipe is read from; None for a preset or a recipe."""
    named = request.get("recipe", AUTO)
    return None if isinstance(named, Recipe) or str(named) in preset_names() else Path(named)


def requested_recipe(source: str | Path | None = None, **request: Unpack[Request]) -> Recipe:
    """The recipe of a request, before the images are known; keywords take precedence over `set`. Raises RecipeError."""
    unknown = request.keys() - Request.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown keyword {sorted(unknown)[0]!r}; keywords are {', '.join(Request.__annotations__)}")
    values: dict[str, object] = {key: request.get(keyword) for keyword, key in KEYS.items()}
    values |= {"data.source": source}
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}
    extra = request.get("set", ())
    overrides = dict(extra) if isinstance(extra, Mapping) else parse_assignments(extra)
    given = {key: value for key, value in plain.items() if value is not None}
    return resolve(_base(request.get("recipe", AUTO)), overrides | given)


def _base(recipe: str | Path | Recipe) -> str | Path | Recipe:
    """Of `auto`, whose networks and losses are not chosen before the images are known, the values that it takes for most."""
    if recipe != AUTO:
        return recipe
    return update(resolve("fast"), name=AUTO, training__minutes=resolve(AUTO).training.minutes)
