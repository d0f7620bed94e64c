"""The cells of a labels file, however it is written, and of several."""

from dataclasses import replace

import pytest

from ganglion.data.labels_file import LabelsFile
from ganglion.data.labels_table import table_of


def table(text, encoding="utf-8"):
    return table_of(LabelsFile("labels.csv", text.encode(encoding)))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter):
    found = table(
        f"file{delimiter}smiling{delimiter}age\na.png{delimiter}1{delimiter}30\nb.png{delimiter}0{delimiter}41\n"
    )
    assert found.columns == ["file", "smiling", "age"]
    assert found.rows == [["a.png", "1", "30"], ["b.png", "0", "41"]]
    assert found.decimal_comma == (delimiter == ";")


def test_excels_first_line_names_the_delimiter():
    found = table("sep=;\r\nfile;age\r\na.png;1,5\r\nb.png;2\r\n")
    assert (found.columns, found.rows[1]) == (["file", "age"], ["b.png", "2"])


def test_quoted_commas_and_quotes_belong_to_their_cell():
    found = table('file,caption\n"a, b.png","red, ""round"""\nc.png,blue\n')
    assert found.rows == [["a, b.png", 'red, "round"'], ["c.png", "blue"]]


def test_decimal_commas_do_not_pass_for_delimiters():
    assert table("file;x;y\na.png;1,5;2,5\nb.png;1,0;3,5\n").rows[0] == ["a.png", "1,5", "2,5"]


def test_celebas_attribute_file_is_read():
    found = table("2\nSmiling Young\n000001.jpg -1  1\n000002.jpg  1 -1\n")
    assert found.columns == ["file", "Smiling", "Young"]
    assert found.rows == [["000001.jpg", "-1", "1"], ["000002.jpg", "1", "-1"]]


def test_white_space_separates_where_nothing_else_does():
    assert table("file kind\na.png cat\nb.png dog\n").rows == [["a.png", "cat"], ["b.png", "dog"]]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_any_ending_of_a_line_ends_one(newline):
    assert table(newline.join(["file,x", "a.png,1", "", "b.png,2", ""])).rows == [["a.png", "1"], ["b.png", "2"]]


@pytest.mark.parametrize(
    ("encoding", "remark"),
    [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", ""), ("cp1252", "labels.csv is not UTF-8 and was read as cp1252")],
)
def test_other_encodings_are_read_and_told(encoding, remark):
    found = table("file,hair\nmüller.png,weiß\n", encoding)
    assert found.rows == [["müller.png", "weiß"]]
    assert found.columns[0] == "file"
    assert found.remarks == ([remark] if remark else [])


def test_rows_of_another_length_are_cut_or_filled_and_told():
    found = table("file,x,y\na.png,1,2\nb.png,1\nc.png,1,2,3\n")
    assert found.rows == [["a.png", "1", "2"], ["b.png", "1", ""], ["c.png", "1", "2"]]
    assert found.remarks == ["rows that do not have 3 cells as the header has: 2 (row 3, 4)"]


def test_columns_without_a_name_and_of_one_name_are_told_apart():
    assert table("file,,x,x\na.png,1,2,3\n").columns == ["file", "column 2", "x", "x (4)"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "fewer than two lines"), (b"file,x\n", "fewer than two lines"), (b"a.png\nb.png\n", "a single column"),
        (b"\x89PNG\0\0\1\2\nx,y\0\n", "not a text file"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_told(content, why):
    with pytest.raises(ValueError, match=why):
        table_of(LabelsFile("labels.csv", content))


def joined(*texts):
    """The table of a file in each of the folders a, b, ..."""
    files = [
        LabelsFile(f"{folder}/labels.csv", text.encode(), f"{folder}/labels.csv")
        for folder, text in zip("abc", texts, strict=False)
    ]
    return table_of(replace(files[0], name="labels.csv in a and b", more=tuple(files[1:])))


def test_files_with_the_same_columns_are_one_table_whatever_their_order_and_delimiter():
    found = joined("file,x,y\n1.png,1,2\n2.png,3,4\n", "y;file;x\n6;1.png;5\n")
    assert found.columns == ["file", "x", "y"]
    assert found.rows == [["1.png", "1", "2"], ["2.png", "3", "4"], ["1.png", "5", "6"]]
    assert found.folders == (("a", 2), ("b", 1))
    assert not found.decimal_comma


def test_what_is_odd_about_one_of_several_files_is_told_with_its_name():
    assert joined("file,x\n1.png\n", "file,x\n2.png,1\n").remarks == [
        "a/labels.csv: rows that do not have 2 cells as the header has: 1 (row 2)"
    ]


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (("file,x\n1.png,1\n", "file,y\n1.png,1\n"),
         r"a/labels.csv and b/labels.csv have other columns, only one of them has x, y: name one file with data.labels"),
        (("file,x\n1.png,1\n", "file,x\n1.png,1\n", "file,x,z\n1.png,1,2\n"), r"a/labels.csv and c/labels.csv .* has z: name"),
        (("file,x\n1.png,1\n", "file\n1.png\n"), "b/labels.csv: it has a single column"),
    ],
)  # fmt: skip
def test_files_that_differ_are_no_table_and_the_difference_is_told(texts, why):
    with pytest.raises(ValueError, match=why):
        joined(*texts)
