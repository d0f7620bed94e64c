from typing import get_args

import pytest
from pydantic import ValidationError

from ganglion.recipe.explain import did_you_mean, explain, known_keys
from ganglion.recipe.parts import AdversarialName
from ganglion.recipe.schema import Recipe


def explained(**tree):
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate({"training": {"kimg": 1}, **tree})
    return explain(caught.value, Recipe)


def test_known_keys_are_dotted_and_name_values_only():
    keys = list(known_keys(Recipe))
    assert {"name", "data.size", "optimizer.generator.lr", "training.kimg"} <= set(keys)
    assert not {"data", "optimizer.generator"} & set(keys)
    assert len(keys) == len(set(keys))


def test_a_misspelt_key_is_named_with_the_nearest_one():
    assert explained(generator={"widht": 3}) == "generator.widht: there is no such key; did you mean 'generator.width'?"


def test_a_key_in_the_wrong_part_is_shown_its_right_part():
    assert "did you mean 'training.batch'?" in explained(data={"batch": 3})


def test_a_key_like_no_other_is_shown_the_keys_of_its_part():
    line = explained(latent={"qqqqqqqqqqqqqqqqqqqqqqqqqqqqqq": 3})
    assert line.endswith("keys here: latent.dim, latent.prior")


def test_an_unknown_top_level_key_is_shown_the_parts():
    line = explained(zzzzzzzz=1)
    assert "there is no such key" in line
    assert "training" in line


def test_a_word_that_is_not_a_choice_names_value_choices_and_the_nearest():
    line = explained(objective={"adversarial": "minmax"})
    choices = ", ".join([*get_args(AdversarialName), "custom"])
    assert line == (f"objective.adversarial: 'minmax' is not allowed; allowed: {choices}; did you mean 'minimax'?")


def test_too_many_channels_are_refused_with_what_a_number_of_them_means():
    assert explained(data={"channels": 65}).startswith(
        "data.channels: 65 should be less than or equal to 64 (1 gray, 3 RGB"
    )


def test_a_wrong_type_names_key_value_and_what_the_field_means():
    line = explained(latent={"dim": "many"})
    assert line.startswith("latent.dim: 'many' should be a valid integer")
    assert "Dimensions of the latent z" in line


def test_a_number_out_of_range_names_the_limit():
    assert explained(latent={"dim": 0}).startswith("latent.dim: 0 should be greater than or equal to 1")


def test_an_unreachable_size_names_the_sizes_to_use():
    line = explained(data={"size": 50})
    assert line.startswith("data.size: 50 cannot be reached")
    assert line.endswith("use 48 or 56")


def test_a_part_that_is_a_single_value_is_named():
    assert explained(latent=5).startswith("latent: 5 should be a valid dictionary")


def test_a_missing_part_is_named():
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate({})
    assert explain(caught.value, Recipe) == "training: is missing"


def test_two_budgets_are_named_without_a_dump_of_the_whole_part():
    line = explained(training={"kimg": 1, "steps": 2})
    assert line == "training: exactly one of kimg, steps, minutes must be set; got kimg, steps"


def test_each_fault_has_one_line():
    lines = explained(latent={"dim": 0}, data={"fit": "squeeze"}).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["data.fit", "latent.dim"]


def test_nothing_is_meant_where_nothing_is_close():
    assert did_you_mean("xyz", ["hinge", "wgan"]) == ""
    assert did_you_mean("hing", ["hinge", "wgan"]) == "; did you mean 'hinge'?"
