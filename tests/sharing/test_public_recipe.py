from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel

from ganglion.recipe.resolve import flatten, resolve, update
from ganglion.recipe.schema import Recipe
from ganglion.sharing.public_recipe import public_recipe, withheld

PRIVATE = {
    "name": "clinic-7731", "data.source": "/home/maria/patients", "data.data_dir": "/srv/secret",
    "data.labels": "ages-of-all.csv",
    "training.start_from": "runs/clinic:best",
}  # fmt: skip
KNOWN = {
    *PRIVATE,
    "data.attributes",  # replaced by data.conditions
    "data.content",  # a hash
    "data.classes",  # what the model is asked for
    "data.conditions.name",
    "data.conditions.classes",
    "generator.digest",  # hashes
    "discriminator.digest",
    "objective.feature_matching.layer",  # a module's name
    "objective.custom_loss.name",  # replaced by "custom"
}
"""Every value that can be any text; an author of a new one decides whether it is sent."""


def free_texts(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Keys whose value can be any text, in all parts."""
    found = set()
    for name, field in model.model_fields.items():
        for kind in _kinds(field.annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found |= free_texts(kind, f"{prefix}{name}.")
            elif kind is str:
                found.add(prefix + name)
    return found


def _kinds(annotation: Any) -> list[Any]:
    inner = get_args(annotation)
    return [annotation] if not inner else [kind for one in inner for kind in _kinds(one)]


def test_every_text_of_a_recipe_is_known_to_be_private_or_not() -> None:
    assert free_texts(Recipe) <= KNOWN
    assert {"data.source", "data.content", "training.start_from", "data.conditions.name"} <= free_texts(Recipe)


def private() -> Recipe:
    return resolve("fast", {**PRIVATE, "data.content": "1" * 64})


def test_names_of_files_are_left_out_and_nothing_else() -> None:
    before, after = flatten(private()), flatten(public_recipe(private()))
    assert {key for key in before if before[key] != after[key]} == PRIVATE.keys()
    text = str(public_recipe(private()))
    assert not [word for word in ("maria", "patients", "secret", "ages-of", "clinic") if word in text]


def test_what_is_left_out_is_told() -> None:
    assert withheld(private()) == [
        "where the images are", "the local copy of the data set", "the name of the labels file",
        "the run that it started from", "the name of the recipe's file",
    ]  # fmt: skip
    assert withheld(resolve("fast", {"data.source": "digits"})) == []


@pytest.mark.parametrize(("source", "sent"), [
    ("digits", True), ("mnist", True), ("hf:anna/faces", False), ("photos", False), ("C:\\photos", False),
    ("array (10, 8, 8, 1) uint8, given in Python", False),
])  # fmt: skip
def test_only_data_sets_that_everyone_has_keep_their_name(source: str, sent: bool) -> None:
    recipe = resolve("fast", {"data.source": source})
    assert public_recipe(recipe).data.source == (source if sent else None)


def test_the_name_of_an_own_loss_is_left_out() -> None:
    recipe = resolve("dcgan", {"objective.adversarial": "custom", "objective.custom_loss": {"name": "marias_loss"}})
    assert "marias_loss" not in str(public_recipe(recipe))
    assert withheld(recipe) == ["the name of the loss"]


def test_a_presets_name_stays() -> None:
    assert public_recipe(update(private(), name="dcgan")).name == "dcgan"
