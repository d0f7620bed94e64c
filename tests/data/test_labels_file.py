"""Which file holds the labels, and its cells, however it is written."""

import zipfile

import pytest

from ganglion.data.labels_file import LabelsFile, find_labels_file, table_of
from ganglion.data.sources import FolderSource, ZipSource
from ganglion.errors import DataError


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


@pytest.mark.parametrize("name", ["labels.csv", "Labels.CSV", "labels.tsv", "metadata.csv", "list_attr_celeba.txt"])
def test_a_file_of_a_usual_name_is_found_beside_the_images_or_above_them(image_folder, name):
    root = image_folder(["faces/a.png", "faces/b.png"])
    (root / name).write_text("above")
    assert find_labels_file(FolderSource(root)).content == b"above"
    (root / name).rename(root / "faces" / name)
    found = find_labels_file(FolderSource(root))
    assert (found.key, found.content) == (f"faces/{name}", b"above")


def test_several_files_of_one_name_in_folders_are_not_one_for_all(image_folder):
    root = image_folder(["cat/a.png", "dog/b.png"])
    for folder in ("cat", "dog"):
        (root / folder / "labels.csv").write_text("x")
    assert find_labels_file(FolderSource(root)) is None


def test_a_zip_has_its_labels_inside_and_celebas_beside_it(image_folder, tmp_path):
    root = image_folder(["a.png"])
    for names in (["faces/a.png", "faces/labels.csv"], ["faces/a.png"]):
        with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
            for name in names:
                archive.write(root / "a.png", name)
        found = find_labels_file(ZipSource(tmp_path / "faces.zip"))
        assert (found and found.key) == ("faces/labels.csv" if len(names) == 2 else None)
    (tmp_path / "list_attr_celeba.txt").write_text("beside")
    assert find_labels_file(ZipSource(tmp_path / "faces.zip")).content == b"beside"


def test_a_file_can_be_named_and_folders_name_none(image_folder, tmp_path, monkeypatch):
    root = image_folder(["a/a.png", "deep/er/b.png"])
    for place in (
        root / "train.csv",
        root / "deep" / "er" / "train2.csv",
        root / "labels.csv",
        tmp_path / "outside.csv",
    ):
        place.write_text(place.name)
    monkeypatch.chdir(tmp_path)
    source = FolderSource(root)
    assert find_labels_file(source, "train.csv").content == b"train.csv"
    assert find_labels_file(source, "deep/er/train2.csv").key == "deep/er/train2.csv"
    outside = find_labels_file(source, "outside.csv")
    assert (outside.key, outside.content, outside.asked_for) == (None, b"outside.csv", True)
    assert find_labels_file(source, "folders") is None
    with pytest.raises(DataError, match=r"data.labels is 'train3.csv', and neither folder .* has such a file"):
        find_labels_file(source, "train3.csv")


def test_images_without_a_folder_have_no_labels_file(listed):
    assert find_labels_file(listed({"labels.csv": b"file,x"})) is None


def test_a_folder_that_may_not_be_read_is_passed_over(image_folder, monkeypatch):
    root = image_folder(["a.png", "lost+found/b.png", "faces/c.png"])
    (root / "faces" / "labels.csv").write_text("file,x\n")
    listed = type(root).iterdir

    def iterdir(path):
        if path.name == "lost+found":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(type(root), "iterdir", iterdir)
    assert find_labels_file(FolderSource(root)).key == "faces/labels.csv"


def test_a_name_that_several_files_have_is_asked_for_with_its_folder(image_folder):
    root = image_folder(["a/1.png", "b/2.png"])
    for folder in ("a", "b"):
        (root / folder / "labels.csv").write_text(f"file,{folder}\n")
    with pytest.raises(DataError, match=r"has 2 of that name \(a/labels.csv, b/labels.csv\): name one with its folder"):
        find_labels_file(FolderSource(root), "labels.csv")
    assert find_labels_file(FolderSource(root), "b/labels.csv").content == b"file,b\n"
