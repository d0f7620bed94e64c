"""Rows of a labels file and the images that they are about."""

import pytest

from ganglion.data.labels_table import Table
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


@pytest.mark.parametrize("folder", ["birds/", "/home/me/birds/"])
def test_a_row_of_another_folder_does_not_take_an_image_whose_own_row_is_there(folder):
    own, others = [(f"cats/{i}.png", f"cat{i}") for i in range(3)], [(f"{folder}{i}.png", "bird") for i in range(3)]
    keys = [path for path, _ in own]
    for rows in (others + own, own + others):
        found = matched(rows, keys)
        assert found.cells == [["cat0"], ["cat1"], ["cat2"]]
        assert "whose image is not here: 3" in found.remarks[0]


def test_where_no_folder_decides_between_rows_none_is_used():
    rows = [("x/a.png", "1"), ("y/a.png", "2"), ("b.png", "3"), ("b.png", "4")]
    found = matched(rows, ("a.png", "b.png"))
    assert found.cells == [None, ["3"]]
    assert found.remarks[:2] == [
        "rows of labels.csv that can mean several images and are not used: 2 (x/a.png, y/a.png)",
        "rows of labels.csv that repeat an image, whose first row is used: 1 (b.png)",
    ]


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


@pytest.mark.parametrize("index", ["column 1", "id"])
def test_the_numbers_of_a_table_s_rows_name_no_images(index):
    keys = [f"{i}.png" for i in range(6)]
    shuffled = [3, 1, 5, 0, 2, 4]
    rows = [(str(i), f"{place}.png", f"class {place}") for i, place in enumerate(shuffled)]
    found = match_rows(Table([index, "file", "label"], [list(row) for row in rows], []), keys, "labels.csv")
    assert [cells[1] for cells in found.cells] == [f"class {i}" for i in range(6)]


def test_of_two_columns_that_name_images_as_well_the_one_with_a_title_is_taken():
    rows = [[str(i), str(place), f"class {place}"] for i, place in enumerate([2, 0, 1])]
    titled = frozenset([1, 2])
    found = match_rows(Table(["column 1", "image", "label"], rows, [], titled=titled), ["0.png", "1.png", "2.png"], "x")
    assert [cells[1] for cells in found.cells] == ["class 0", "class 1", "class 2"]


def test_a_title_that_is_also_the_name_of_an_image_stays_a_title():
    rows = [("image.png", "1"), ("image (1).png", "0"), ("image (2).png", "1")]
    found = matched(rows, keys=[row[0] for row in rows], columns=("image", "smiling"))
    assert (found.columns, found.cells, found.remarks) == (["smiling"], [["1"], ["0"], ["1"]], [])


def test_accented_letters_match_however_they_are_composed():
    composed, decomposed = "caf\u00e9/\u00e4 1.png", "cafe\u0301/a\u0308 1.png"
    assert ImageNames([decomposed, "b.png"]).find(composed) == [0]
    assert ImageNames([composed, "b.png"]).find(decomposed.partition("/")[2]) == [0]


@pytest.mark.parametrize("form", ["{}.png", "{}", "./{}.png", "train/{}.png", "D:\\me\\train\\{}.png"])
def test_files_are_named_as_seen_from_the_folder_of_their_labels(form):
    keys = [f"{folder}/{i}.png" for folder in ("test", "train") for i in range(3)]
    own, other = [[form.format(i), f"train {i}"] for i in range(3)], [[f"{i}.png", f"test {i}"] for i in range(3)]
    found = match_rows(Table(["file", "x"], own + other, [], folders=(("train", 3), ("test", 3))), keys, "labels.csv")
    assert [cells[0] for cells in found.cells] == [f"{key[:-6]} {key[-5]}" for key in keys]
    assert found.remarks == []


def test_paths_of_the_whole_source_are_found_from_any_folder():
    keys = ["a.png", "faces/b.png", "lists/a.txt"]
    rows = [["a.png", "1"], ["faces/b.png", "2"]]
    found = match_rows(Table(["file", "x"], rows, [], folders=(("lists", 2),)), keys, "lists/labels.csv")
    assert found.cells == [["1"], ["2"], None]


def test_without_a_header_the_first_line_is_of_the_first_folder():
    keys = ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]
    found = match_rows(Table(["1.png", "x"], [["2.png", "y"]], [], folders=(("a", 1),)), keys, "a/labels.csv")
    assert found.cells == [["x"], ["y"], None, None]
