"""Kinds of columns, told from their cells."""

import numpy as np
import pytest

from ganglion.data.columns import read_column


def read(*cells, name="x", **options):
    return read_column(name, list(cells), **options)


@pytest.mark.parametrize(
    "pair", [("0", "1"), ("-1", "1"), ("no", "yes"), ("False", "True"), ("N", "Y"), ("f", "t"), ("0.0", "1.0")]
)
def test_two_opposite_words_are_yes_and_no(pair):
    found = read(pair[0], pair[1], pair[1], f" {pair[0]} ")
    assert found.attribute.kind == "yes-no"
    assert found.values.tolist() == [0, 1, 1, 0]


def test_numbers_have_a_range_a_mean_and_a_spread():
    found = read("1.5", "2.5", "-4", "8e0")
    assert (found.attribute.kind, found.attribute.low, found.attribute.high) == ("number", -4, 8)
    assert (found.attribute.mean, found.attribute.std) == (2, pytest.approx(np.std([1.5, 2.5, -4, 8])))
    assert found.values.tolist() == [1.5, 2.5, -4, 8]


def test_a_decimal_comma_is_read_where_semicolons_separate():
    assert read("1,5", "2,5", "3", decimal_comma=True).values.tolist() == [1.5, 2.5, 3]
    assert read("1,5", "1.5", "3", decimal_comma=True).values.tolist() == [1.5, 1.5, 3]
    assert read("1,200", "2,5", "3", decimal_comma=True).remark == ""


@pytest.mark.parametrize(
    ("cells", "values", "remark"),
    [
        (["54,5", "60", "61,25", "-3,5"], [54.5, 60, 61.25, -3.5], "54,5 in x is read as 54.5"),
        (["0,125", "1,250", "3"], [0.125, 1.25, 3], "0,125 in x is read as 0.125"),
        (["1.200,5", "54,5", "60", "1.200"], [1200.5, 54.5, 60, 1200], "1.200,5 in x is read as 1200.5"),
        (["950", "1,200", "12,345,678"], [950, 1200, 12345678], "1,200 in x is read as 1200"),
        (["1,200.5", "3.25", "8"], [1200.5, 3.25, 8], "1,200.5 in x is read as 1200.5"),
        (["1,5e3", "2"], [1500, 2], "1,5e3 in x is read as 1500"),
    ],
)  # fmt: skip
def test_what_a_comma_means_is_found_for_each_column_and_told(cells, values, remark):
    found = read(*cells)
    assert (found.attribute.kind, found.remark) == ("number", remark)
    assert found.values.tolist() == values


def test_thousands_with_decimals_are_read_where_semicolons_separate():
    assert read("1.200,5", "54,5", decimal_comma=True).values.tolist() == [1200.5, 54.5]
    assert read("1,200.5", "54.5", decimal_comma=True).values.tolist() == [1200.5, 54.5]
    assert read("1.250", "2.5", decimal_comma=True).values.tolist() == [1.25, 2.5]


def test_a_few_other_texts_do_not_change_what_a_comma_means():
    cells = [f"{i},5" for i in range(60)]
    found = read(*cells, "about 3", "red, green")
    assert found.attribute.kind == "number"
    assert found.remark == (
        "0,5 in x is read as 0.5; values of x that are not numbers and count as missing: 2 (about 3, red, green)"
    )
    assert read(*cells, *["red, green"] * 9, *cells).attribute.kind == "class"


@pytest.mark.parametrize(
    "cells", [["1.5", "2,5"] * 4, ["1,2,3", "4,5"] * 4, ["a,b", "c,d"] * 4, ["1,5", "red", "2,5", "blue"] * 4]
)
def test_texts_with_commas_that_are_no_numbers_stay_classes(cells):
    assert read(*cells).attribute.kind == "class"


def test_labels_with_commas_are_classes():
    assert read(*["1,2", "3", "2,5"] * 4, name="labels").attribute.classes == ("3", "1,2", "2,5")


def test_other_texts_are_classes_in_natural_order():
    found = read("b10", "a", "b10", "a", "2", "10", "2", "10")
    assert found.attribute.classes == ("2", "10", "a", "b10")
    assert found.values.tolist() == [3, 2, 3, 2, 0, 1, 0, 1]


@pytest.mark.parametrize("name", ["label", "Class", "species"])
def test_whole_numbers_in_a_column_called_a_class_are_classes(name):
    assert read("3", "3", "7", "7", "5", "5", name=name).attribute.classes == ("3", "5", "7")
    assert read("3", "3", "7", "7", "5", "5", name="age").attribute.kind == "number"


@pytest.mark.parametrize("hole", ["", " ", "NA", "n/a", "NaN", "null", "None", "?"])
def test_a_hole_is_no_value_of_any_kind(hole):
    for cells in (["1", "0", "1"], ["1.5", "2", "3"], ["red", "blue", "red", "blue"]):
        full, holed = read(*cells), read(*cells, hole)
        assert holed.attribute == full.attribute
        assert np.isnan(holed.values[-1])


def test_a_few_texts_among_numbers_are_missing_and_told():
    found = read(*[str(i / 2) for i in range(60)], "about 3", "unknown")
    assert found.attribute.kind == "number"
    assert np.isnan(found.values[-2:]).all()
    assert found.remark == "values of x that are not numbers and count as missing: 2 (about 3, unknown)"
    assert read("1.5", "inf", *["2"] * 30).attribute.high == 2


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (["red"] * 5, "every value in it is red"),
        (["1", "1.0", "1"], "every value in it is 1"),
        (["", "", "", "1"], "3 of 4 images have no value in it"),
        ([f"person {i}" for i in range(40)], "40 different values in 40 images"),
        ([str(i) for i in range(100, 140)], "it numbers the images"),
    ],
)  # fmt: skip
def test_a_column_of_no_use_is_left_out_with_the_reason(cells, why):
    found = read(*cells)
    assert found.attribute is None
    assert why in found.why_not
    assert np.isnan(found.values).all()


def test_whole_numbers_that_all_differ_are_an_id_only_by_their_name_or_without_gaps():
    scattered = [str(i * i) for i in range(30)]
    assert read(*scattered, name="image_id").attribute is None
    assert read(*scattered, name="weight").attribute.kind == "number"


@pytest.mark.parametrize("number", ["5", "0.1"])
def test_one_number_beside_a_few_other_texts_tells_nothing(number):
    found = read(*[number] * 98, "abc", "abc")
    assert found.attribute is None
    assert found.why_not == f"every number in it is {number}"


def test_two_numbers_in_a_column_of_labels_are_two_classes():
    found = read("0", "1", "1", "0", name="Label")
    assert (found.attribute.kind, found.attribute.classes) == ("class", ("0", "1"))


def test_whole_numbers_that_float32_does_not_hold_are_classes_where_they_repeat():
    repeated = read(*["100000001", "100000002"] * 4)
    assert repeated.attribute.classes == ("100000001", "100000002")
    assert repeated.values.tolist() == [0, 1] * 4
    assert read("100000001", "300000002", "200000003").attribute.kind == "number"
