"""Condition vectors of attributes, and how often rare classes are shown."""

import numpy as np
import pytest

from ganglion.data.attributes import Attributes, choose_attributes, class_weights, condition_vectors
from ganglion.data.batches import balanced_order
from ganglion.errors import DataError
from ganglion.recipe.attributes import Attribute, vector_names

SMILING = Attribute(name="smiling", kind="yes-no")
HAIR = Attribute(name="hair", kind="class", classes=("black", "blond", "red"))
AGE = Attribute(name="age", kind="number", low=0, high=100, mean=30, std=10)
NAN = float("nan")
FOUND = Attributes((SMILING, HAIR, AGE), np.array([[1, 2, 50], [0, 0, 25], [NAN, NAN, NAN]], np.float32))


def test_a_vector_has_a_number_for_yes_and_no_one_for_each_class_and_a_standardised_one():
    assert vector_names(FOUND.columns) == ("smiling", "hair=black", "hair=blond", "hair=red", "age", "constant")
    assert FOUND.vectors().tolist() == [[1, 0, 0, 1, 2, 1], [-1, 1, 0, 0, -0.5, 1], [0, 0, 0, 0, 0, 1]]
    assert FOUND.vectors().dtype == np.float32


def test_an_outlier_is_clipped_at_three_deviations():
    assert condition_vectors((AGE,), np.array([[1e6], [-1e6]], np.float32))[:, 0].tolist() == [3, -3]


def test_columns_are_chosen_by_name_in_the_order_asked_for():
    chosen = choose_attributes(FOUND, ("age", "smiling", "age"))
    assert chosen.columns == (AGE, SMILING)
    assert chosen.values[0].tolist() == [50, 1]
    assert choose_attributes(FOUND, None) is FOUND
    with pytest.raises(
        DataError, match=r"no usable column 'smilin'; there are smiling, hair, age; did you mean 'smiling'"
    ):
        choose_attributes(FOUND, ("smilin",))


def test_a_column_of_numbers_can_be_taken_as_classes():
    found = Attributes((AGE,), np.array([[3], [10], [3], [NAN], [10]], np.float32))
    chosen = choose_attributes(found, ("age:class",))
    assert chosen.columns[0].classes == ("3", "10")
    np.testing.assert_array_equal(chosen.values[:, 0], [0, 1, 0, NAN, 1])
    with pytest.raises(DataError, match="age has 9 different numbers in 9 images"):
        choose_attributes(Attributes((AGE,), np.arange(9, dtype=np.float32)[:, None]), ("age:class",))


@pytest.mark.parametrize("numbers", [["1000001", "1000002"], ["0.1", "0.25"], ["-3", "16777216"]])
def test_classes_from_numbers_are_called_as_they_are_written(numbers):
    values = np.array([[float(number)] for number in numbers * 2], np.float32)
    assert choose_attributes(Attributes((AGE,), values), ("age:class",)).columns[0].classes == tuple(numbers)


def test_under_balanced_sampling_each_class_is_shown_equally_often():
    codes = np.array([0] * 90 + [1] * 9 + [2])[:, None].astype(np.float32)
    weights = class_weights(codes)
    assert [weights[codes[:, 0] == k].sum() for k in range(3)] == pytest.approx([1 / 3] * 3)
    shown = np.bincount(np.concatenate([balanced_order(weights, 5, epoch) for epoch in range(30)]), minlength=100)
    assert shown.sum() == 3000
    assert [shown[:90].sum(), shown[90:99].sum(), shown[99]] == pytest.approx([1000] * 3, abs=30)


def test_a_rare_value_of_one_column_of_many_is_shown_more_often():
    codes = np.zeros((100, 4), np.float32)
    codes[0, 2] = 1
    weights = class_weights(codes)
    assert weights.sum() == pytest.approx(1)
    assert 10 < weights[0] * 100 < 20  # a quarter of the half that its own column alone would give it


def test_an_image_without_a_class_is_shown_as_often_as_before():
    codes = np.array([[0], [0], [0], [1], [NAN]], np.float32)
    assert class_weights(codes)[4] == pytest.approx(1 / 5)
    assert class_weights(codes)[3] == pytest.approx(2 / 5)


def test_the_balanced_order_of_an_epoch_depends_on_the_seed_and_the_epoch_only():
    weights = class_weights(np.array([0, 0, 0, 1])[:, None].astype(np.float32))
    assert balanced_order(weights, 1, 2).tolist() == balanced_order(weights, 1, 2).tolist()
    assert len({tuple(balanced_order(weights, seed, epoch)) for seed in (1, 2) for epoch in range(3)}) > 3
