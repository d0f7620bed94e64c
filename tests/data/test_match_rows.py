"""Rows of a labels file and the images that they are about."""

import pytest

from ganglion.data.labels_file import Table
from ganglion.data.match_rows import ImageNames, match_rows

KEYS = ["faces/a.png", "faces/b.png", "cats/b.png", "cats/c.d.png"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("faces/a.png", [0]), ("a.png", [0]), ("A.PNG", [0]), ("a", [0]), ("./faces/b.png", [1]), ("cats\\b.png", [2]),
        ("C:\\me\\cats\\b.png", [2]), ("/home/me/faces/b", [1]), ("b.png", [1, 2]), ("dogs/b.png", [1, 2]), ("c.d", [3]),
        ("elsewhere/a.png", [0]), ("d.png", []), ("", []), ("faces/", []), ("a.jpg", [0]),
    ],
)  # fmt: skip
def test_an_image_is_found_by_path_by_name_and_whatever_its_suffix(text, found):
    assert ImageNames(KEYS).find(text) == found


def matched(rows, keys=("a.png", "b.png", "c.png"), columns=("file", "x")):
    return match_rows(Table(list(columns), [list(row) for row in rows], []), list(keys), "labels.csv")


def test_rows_come_in_the_order_of_the_images():
    found = matched([("c.png", "3"), ("a.png", "1"), ("b.png", "2")])
    assert (found.columns, found.cells, found.remarks) == (["x"], [["1"], ["2"], ["3"]], [])


def test_the_files_may_be_named_in_any_column():
    found = matched(
        [("0", "a.png", "red"), ("1", "b.png", "blue"), ("2", "c.png", "red")], columns=("id", "path", "hair")
    )
    assert found.columns == ["id", "hair"]
    assert found.cells[1] == ["1", "blue"]


def test_a_file_without_a_header_is_told():
    found = matched([("b.png", "2"), ("c.png", "3")], columns=("a.png", "1"))
    assert (found.columns, found.cells) == (["column 2"], [["1"], ["2"], ["3"]])
    assert found.remarks == ["labels.csv has no header line; its columns are called column 2"]


def test_all_that_does_not_fit_is_counted_with_three_examples():
    rows = [("cats/b.png", "1"), ("cats/b.png", "2"), ("b.png", "3"), ("faces/a.png", "4"), ("c.d", "5")]
    rows += [(f"gone{i}.png", "6") for i in range(1200)]
    assert matched(rows, KEYS).remarks == [
        "rows of labels.csv whose image is not here: 1,200 (gone0.png, gone1.png, gone2.png, ...)",
        "rows of labels.csv that can mean several images and are not used: 1 (b.png)",
        "rows of labels.csv that repeat an image, whose first row is used: 1 (cats/b.png)",
        "images without a row in labels.csv: 1 (faces/b.png)",
    ]
    assert matched(rows, KEYS).cells == [["4"], None, ["1"], ["5"]]


def test_more_than_half_without_a_row_is_refused():
    assert matched([("a.png", "1"), ("b.png", "2")], ("a.png", "b.png", "c.png", "d.png")).cells[2:] == [None, None]
    with pytest.raises(
        ValueError, match=r"3 of 4 images have no row in it \(b.png, c.png, d.png\); it has 1 rows of other"
    ):
        matched([("a.png", "1"), ("x.png", "2")], ("a.png", "b.png", "c.png", "d.png"))


def test_classes_that_are_called_as_images_are_do_not_pass_for_the_column_of_files():
    keys = [f"{i}.png" for i in range(40)]
    rows = [("gone.png", "3"), *((key, str(i % 10)) for i, key in enumerate(keys[1:], start=1))]
    assert matched(rows, keys).cells[:3] == [None, ["1"], ["2"]]
