from __future__ import annotations

import pytest

from ganglion.recipe.attributes import Attribute, vector_names
from ganglion.recipe.resolve import recipe_text, resolve

COLUMNS = (
    Attribute(name="smiling", kind="yes-no"),
    Attribute(name="hair", kind="class", classes=("1", "yes", "red: dark")),
    Attribute(name="age", kind="number", low=-1e-7, high=3.0000000000000004, mean=1 / 3, std=1e-12),
)


def test_each_number_of_the_vector_has_a_name_and_the_last_is_constant() -> None:
    assert vector_names(COLUMNS) == ("smiling", "hair=1", "hair=yes", "hair=red: dark", "age", "constant")
    assert vector_names(()) == ()


def test_columns_come_back_from_a_recipe_as_they_were(tmp_path) -> None:  # type: ignore[no-untyped-def]
    changes = {"data.conditional": True, "data.conditions": [column.model_dump() for column in COLUMNS]}
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_text(resolve("fast", changes)), encoding="utf-8")
    assert resolve(path).data.conditions == COLUMNS


@pytest.mark.parametrize(
    ("column", "text", "example"),
    [
        (COLUMNS[0], "smiling (1 or 0)", "smiling=1"), (COLUMNS[1], "hair (1, yes, red: dark)", "hair=1"),
        (Attribute(name="age", kind="number", low=3, high=80, mean=40.1234), "age (a number from 3 to 80)", "age=40.1"),
    ],
)  # fmt: skip
def test_a_column_says_what_it_can_be(column: Attribute, text: str, example: str) -> None:
    assert (column.text(), column.example) == (text, example)
