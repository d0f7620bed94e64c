"""The recipe of a run without what is private: names of files, folders and data sets."""

from __future__ import annotations

from ganglion.data.hub import NAMED
from ganglion.recipe.resolve import preset_names, update
from ganglion.recipe.schema import Recipe

__all__ = ["PUBLIC_SOURCES", "public_recipe", "withheld"]

PUBLIC_SOURCES = ("digits", *NAMED)
"""Names of data sets that everyone has; any other source is a name of the user's."""


def public_recipe(recipe: Recipe) -> Recipe:
    """What is sent: every value that the images depend on stays."""
    own_loss = {} if recipe.objective.custom_loss is None else {"objective__custom_loss__name": "custom"}
    return update(
        recipe,
        **own_loss,
        name=recipe.name if recipe.name in preset_names() else "custom",
        data__source=recipe.data.source if recipe.data.source in PUBLIC_SOURCES else None,
        data__data_dir=None,
        data__labels="auto",
        data__attributes=None,
        training__start_from=None,
    )


def withheld(recipe: Recipe) -> list[str]:
    """What the public recipe lacks of this one, in words."""
    public = public_recipe(recipe)
    parts = {
        "where the images are": (recipe.data.source, public.data.source),
        "the local copy of the data set": (recipe.data.data_dir, public.data.data_dir),
        "the name of the labels file": (recipe.data.labels, public.data.labels),
        "the run that it started from": (recipe.training.start_from, public.training.start_from),
        "the name of the recipe's file": (recipe.name, public.name),
        "the name of the loss": (recipe.objective.custom_loss, public.objective.custom_loss),
    }
    return [words for words, (own, sent) in parts.items() if own != sent]
