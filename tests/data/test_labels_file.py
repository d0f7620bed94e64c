"""Which file holds the labels, or which files together."""

import zipfile

import pytest

from ganglion.data.labels_file import find_labels_file
from ganglion.data.sources import FolderSource, ZipSource
from ganglion.errors import DataError


@pytest.mark.parametrize("name", ["labels.csv", "Labels.CSV", "labels.tsv", "metadata.csv", "list_attr_celeba.txt"])
def test_a_file_of_a_usual_name_is_found_beside_the_images_or_above_them(image_folder, name):
    root = image_folder(["faces/a.png", "faces/b.png"])
    (root / name).write_text("above")
    assert find_labels_file(FolderSource(root)).content == b"above"
    (root / name).rename(root / "faces" / name)
    found = find_labels_file(FolderSource(root))
    assert (found.key, found.content) == (f"faces/{name}", b"above")


@pytest.mark.parametrize("wanted", ["auto", "metadata.csv"])
@pytest.mark.parametrize("zipped", [False, True])
def test_files_of_one_name_in_several_folders_are_taken_together(image_folder, tmp_path, wanted, zipped):
    root = image_folder(["train/a.png", "test/b.png"])
    for folder in ("train", "test"):
        (root / folder / "metadata.csv").write_text(folder)
    source = FolderSource(root)
    if zipped:
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            for path in root.rglob("*.*"):
                archive.write(path, path.relative_to(root))
        source = ZipSource(tmp_path / "set.zip")
    found = find_labels_file(source, wanted)
    assert (found.name, found.key, found.content) == ("metadata.csv in test and train", "test/metadata.csv", b"test")
    assert [(one.key, one.content) for one in found.more] == [("train/metadata.csv", b"train")]


def test_the_first_of_the_names_counts_and_the_folder_itself_comes_first(image_folder):
    root = image_folder(["a/a.png", "b/b.png", "c/c.png"])
    for path in ("a/labels.csv", "b/labels.csv", "c/labels.csv"):
        (root / path).write_text(path)
    assert find_labels_file(FolderSource(root)).name == "labels.csv in 3 folders"
    (root / "b" / "metadata.csv").write_text("b")
    assert find_labels_file(FolderSource(root)).name == "labels.csv in 3 folders"
    (root / "labels.txt").write_text("above")
    assert find_labels_file(FolderSource(root)).name == "labels.txt"


def test_the_digest_changes_with_every_file_and_with_its_folder(image_folder):
    root = image_folder(["a/a.png", "b/b.png"])
    source = FolderSource(root)
    digests = []
    for path, content in (("a/labels.csv", "1"), ("b/labels.csv", "2"), ("b/labels.csv", "3")):
        (root / path).write_text(content)
        digests.append(find_labels_file(source).digest(source.entries()[:1]))
    (root / "b" / "labels.csv").unlink()
    (root / "a" / "labels.csv").rename(root / "labels.csv")
    assert len({*digests, find_labels_file(source).digest(source.entries()[:1])}) == 4


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


def test_of_several_files_of_a_name_one_is_named_with_its_folder(image_folder):
    root = image_folder(["a/1.png", "b/2.png"])
    for folder in ("a", "b"):
        (root / folder / "labels.csv").write_text(f"file,{folder}\n")
    found = find_labels_file(FolderSource(root), "b/labels.csv")
    assert (found.content, found.more, found.asked_for) == (b"file,b\n", (), True)
