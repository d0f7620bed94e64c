from typing import get_args, get_origin

import pytest
import yaml
from pydantic import ValidationError

from ganglion.errors import RecipeError
from ganglion.recipe.explain import parts_at
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Data, FitPolicy, Recipe, Training

SCHEMA = Recipe.model_json_schema()


def leaf_fields(part=Recipe, prefix=""):
    """Every value of every part, those of each choice too."""
    for name, field in part.model_fields.items():
        inner = [] if get_origin(field.annotation) is tuple else parts_at(part, name)
        for one in inner:
            yield from leaf_fields(one, f"{prefix}{name}.")
        if not inner:
            yield prefix + name, field


def described(node):
    """Every property that is a value, not a part or a choice of parts, from the exported JSON schema."""
    for part in [node, *node["$defs"].values()]:
        for name, field in part["properties"].items():
            if "$ref" not in field and "oneOf" not in field:
                yield name, field


@pytest.mark.parametrize("key", dict(leaf_fields()))
def test_every_value_has_a_description(key):
    description = dict(leaf_fields())[key].description
    assert description
    assert len(description) > 10


def test_the_json_schema_carries_a_description_for_every_value():
    assert [name for name, field in described(SCHEMA) if not field.get("description")] == []
    assert len(list(described(SCHEMA))) > 30


def test_the_json_schema_lists_the_choices_and_the_bounds():
    properties = SCHEMA["$defs"]["Data"]["properties"]
    assert str(list(get_args(FitPolicy)))[1:-1] in str(properties["fit"])
    assert "'maximum': 64, 'minimum': 1" in str(properties["channels"])


def test_a_recipe_is_frozen_at_every_depth():
    recipe = resolve("dcgan")
    with pytest.raises(ValidationError, match="frozen"):
        recipe.name = "other"
    with pytest.raises(ValidationError, match="frozen"):
        recipe.training.batch = 1
    with pytest.raises(ValidationError, match="frozen"):
        recipe.optimizer.generator.lr = 1.0


def test_two_recipes_of_equal_values_are_equal_and_hash_alike():
    assert resolve("dcgan") == resolve("dcgan")
    assert hash(resolve("dcgan")) == hash(resolve("dcgan"))


def test_training_has_exactly_one_budget():
    assert Training(steps=5).kimg is None
    with pytest.raises(ValidationError, match="got none"):
        Training()
    with pytest.raises(ValidationError, match="got kimg, minutes"):
        Training(kimg=1, minutes=1)


def test_a_size_is_stored_as_height_and_width():
    assert Data(size="96x64").size == (96, 64)
    assert Data().size is None


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_numbers_are_finite(value):
    with pytest.raises(ValidationError, match="finite"):
        Training(kimg=value)


@pytest.mark.parametrize("written", ["32", 32, yaml.safe_load("32")])
def test_precision_32_may_be_written_as_a_number_or_a_word(written):
    assert Training(kimg=1, precision=written).precision == "32"


def test_shown_channels_are_among_those_there_are():
    assert Data(channels=6, shown_channels=(5, 0, 0)).shown_channels == (5, 0, 0)
    assert Data(shown_channels=(63, 1, 2)).channels is None  # not known yet
    with pytest.raises(
        RecipeError, match="data: shown_channels contains channel 4; there are 0 to 3: choose three of them"
    ):
        resolve("dcgan", {"data.channels": 4, "data.shown_channels": [0, 1, 4]})
    with pytest.raises(RecipeError, match="channel -1"):
        resolve("dcgan", {"data.shown_channels": [0, 1, -1]})


@pytest.mark.parametrize(
    ("written", "read"),
    [("off", "off"), ("folders", "folders"), ("mine.csv", "mine.csv")],
)
def test_a_name_of_labels_is_text_whatever_yaml_makes_of_it(written, read):
    assert Data(labels=yaml.safe_load(written)).labels == read


@pytest.mark.parametrize(
    ("written", "read"), [("[1, 2]", ("1", "2")), ("[no, smile]", ("no", "smile")), ("3", ("3",)), ("a, b", ("a", "b"))]
)
def test_names_of_columns_are_texts_whatever_yaml_makes_of_them(written, read):
    assert Data(attributes=yaml.safe_load(written)).attributes == read
