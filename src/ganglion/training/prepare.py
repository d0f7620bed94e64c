"""Settles the recipe `auto`: it can be known only once images and device are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ganglion.data.given import Images, name_of
from ganglion.data.prepare import Reporter, prepare
from ganglion.data.store import Store
from ganglion.recipe.auto import DataFacts, choose
from ganglion.recipe.resolve import BUDGETS, Request, parse_assignments, requested_recipe
from ganglion.recipe.schema import Recipe

__all__ = ["AUTO", "resolve_auto"]


AUTO = "auto"


def resolve_auto(
    source: Images | None, asked: Request, cache: Path, device: str, reporter: Reporter
) -> tuple[Recipe, Store, list[str]]:
    """The recipe that these words mean, the packed images, and the reasons for what `auto` chose. Raises as `prepare`."""
    name = name_of(source)
    wanted = requested_recipe(name, **asked)
    store = prepare(wanted.data, cache, reporter, source)
    if asked.get("recipe", AUTO) != AUTO:
        return wanted, store, []
    classes = len(store.classes) if (store.labels >= 0).all() else 0
    facts = DataFacts(len(store.images), store.fit.size, store.fit.channels, classes, device)
    choice = choose(facts)
    extra = asked.get("set", ())
    given = dict(extra) if isinstance(extra, Mapping) else parse_assignments(extra)
    budgets = [asked.get("kimg"), asked.get("steps"), asked.get("minutes"), *(given.get(key) for key in BUDGETS)]
    theirs = {key for key in choice.overrides if key.partition(".")[0] in given or (any(budgets) and key in BUDGETS)}
    chosen = {key: value for key, value in choice.overrides.items() if key not in theirs}
    rest: Request = {**asked, "recipe": choice.recipe, "set": chosen | given}
    return requested_recipe(name, **rest), store, choice.reasons
