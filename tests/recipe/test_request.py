from pathlib import Path

import pytest

from ganglion.errors import RecipeError
from ganglion.recipe.request import requested_recipe
from ganglion.recipe.resolve import resolve


def test_no_words_leave_the_choice_to_auto():
    assert requested_recipe() == resolve("auto")


def test_every_word_reaches_its_key():
    recipe = requested_recipe(
        Path("photos"), size="96x64", steps=9, batch=8, seed=3, precision="32", data_dir=Path("copy")
    )
    assert (recipe.data.source, recipe.data.data_dir, recipe.data.size) == ("photos", "copy", (96, 64))
    assert (recipe.training.steps, recipe.training.kimg, recipe.training.minutes) == (9, None, None)
    assert (recipe.training.batch, recipe.training.seed, recipe.training.precision) == (8, 3, "32")


def test_a_seed_of_zero_is_a_seed_and_not_an_absent_word(tmp_path):
    (tmp_path / "mine.yaml").write_text("training: {kimg: 1, seed: 5}")
    assert requested_recipe(recipe=tmp_path / "mine.yaml", seed=0).training.seed == 0


@pytest.mark.parametrize("assignments", [["latent.dim=7"], {"latent.dim": 7}, iter(["latent.dim=7"])])
def test_set_takes_assignments_or_a_mapping(assignments):
    assert requested_recipe(set=assignments).latent.dim == 7


def test_a_keyword_wins_over_set():
    assert requested_recipe(batch=16, set=["training.batch=8"]).training.batch == 16


def test_a_budget_by_keyword_and_another_by_set_are_refused():
    with pytest.raises(RecipeError, match=r"got training\.kimg and training\.steps"):
        requested_recipe(kimg=1, set=["training.steps=5"])


def test_a_mapping_given_as_set_is_not_changed():
    given = {"latent.dim": 7}
    requested_recipe(batch=16, set=given)
    assert given == {"latent.dim": 7}


def test_a_recipe_already_made_is_taken_as_it_is():
    assert requested_recipe(recipe=resolve("dcgan", {"latent.dim": 3})).latent.dim == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"size": 50}, "data.size: 50 cannot be reached"),
        ({"kimg": 0}, "training.kimg: 0 should be greater than 0"),
        ({"precision": "16"}, "training.precision: '16' is not allowed; allowed: auto, 32, bf16"),
        ({"recipe": "dcgam"}, "did you mean 'dcgan'?"),
        ({"set": ["latent.dmi=3"]}, "did you mean 'latent.dim'?"),
    ],
)
def test_a_word_that_cannot_be_meant_is_refused_by_its_key(words, says):
    with pytest.raises(RecipeError) as caught:
        requested_recipe(**words)
    assert says in str(caught.value)
