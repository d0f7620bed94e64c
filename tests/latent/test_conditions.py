"""Attributes that a person asks for, and the rest drawn from training images that agree."""

import numpy as np
import pytest

from ganglion.latent.conditions import Conditions
from ganglion.recipe.attributes import Attribute

COLUMNS = (
    Attribute(name="smiling", kind="yes-no"),
    Attribute(name="hair", kind="class", classes=("black", "blond", "red")),
    Attribute(name="age", kind="number", low=3, high=80, mean=40, std=20),
)
RANDOM = np.random.default_rng(0)
HAIR = RANDOM.integers(0, 2, 400)  # nobody is red
SMILING = HAIR  # all blond people smile, nobody else does
AGE = np.where(HAIR == 1, RANDOM.integers(3, 30, 400), RANDOM.integers(50, 81, 400))  # and they are young
PEOPLE = Conditions(COLUMNS, np.stack([SMILING, HAIR, AGE], 1).astype(np.float32))


def drawn(asked=None, n=500, seed=0):
    """Condition vectors by name."""
    vectors = PEOPLE.draw(n, seed, asked)
    return dict(zip(("smiling", "black", "blond", "red", "age", "constant"), vectors.T, strict=True))


def test_without_a_wish_whole_rows_of_training_images_are_drawn():
    found = drawn()
    assert np.array_equal(found["smiling"] == 1, found["blond"] == 1)
    assert (found["age"][found["blond"] == 1] < 0).all()
    assert found["blond"].mean() == pytest.approx(HAIR.mean(), abs=0.08)


def test_what_is_asked_for_is_set_and_the_rest_agrees_with_it():
    found = drawn("hair=blond")
    assert (found["blond"] == 1).all()
    assert (found["smiling"] == 1).all()
    assert len(set(found["age"])) > 10


def test_the_rest_agrees_with_a_number_that_is_asked_for():
    found = drawn("age=70")
    assert found["age"].tolist() == [1.5] * 500
    assert (found["black"] == 1).all()


def test_the_first_draws_do_not_depend_on_how_many_there_are():
    assert np.array_equal(PEOPLE.draw(9, 3, "smiling=1")[:4], PEOPLE.draw(4, 3, {"smiling": True}))
    assert not np.array_equal(PEOPLE.draw(9, 3), PEOPLE.draw(9, 4))


def test_a_combination_that_no_training_image_has_is_drawn_and_told():
    found = drawn("smiling=1,hair=black")
    assert (found["smiling"] == 1).all()
    assert (found["black"] == 1).all()
    assert PEOPLE.remark("smiling=1,hair=black").startswith(
        "no training image known to the run has smiling=1, hair=black: the other attributes are drawn from images that differ"
    )
    assert PEOPLE.remark("hair=red")
    assert PEOPLE.remark("smiling=1,hair=blond,age=20") == PEOPLE.remark(None) == ""


@pytest.mark.parametrize("word", ["1", "yes", "True", 1, True])
def test_yes_can_be_written_in_several_ways(word):
    assert PEOPLE.values({"smiling": word}) == {0: 1.0}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("smile=1", r"there is no attribute 'smile'; there are smiling \(1 or 0\), hair \(black, blond, red\), age \(a number "
                    r"from 3 to 80\); did you mean 'smiling'"),
        ("hair=blonde", r"there is no hair=blonde; expected hair \(black, blond, red\); did you mean 'blond'"),
        ("age=90", "age is a number from 3 to 80 in the training images; got '90'"), ("age=old", "got 'old'"),
        ("age=nan", "got 'nan'"), ("smiling=maybe", "smiling is yes or no, written 1 or 0; got 'maybe'"),
        ("blond", "expected NAME=VALUE, such as smiling=1,hair=black, and got 'blond'"),
    ],
)  # fmt: skip
def test_what_there_is_not_is_told_with_what_there_is(asked, told):
    with pytest.raises(ValueError, match=told):
        PEOPLE.draw(1, 0, asked)
