"""A labels file beside images, from the file to the packed attributes; what is odd about it is told."""

import json
import zipfile

import numpy as np
import pytest

from ganglion.data.labels import read_labels
from ganglion.data.labels_file import LabelsFile
from ganglion.data.prepare import prepare
from ganglion.data.store import open_store
from ganglion.errors import DataError
from ganglion.recipe.schema import Data

NAMES = [f"{i}.png" for i in range(6)]
TABLE = "file,smiling,hair,age,note\n" + "".join(
    f"{name},{i % 2},{('red', 'blond')[i // 3]},{20 + i * i},note {i}\n" for i, name in enumerate(NAMES)
)


@pytest.fixture
def packed(image_folder, cache, reporter):
    """The store of a folder of six images with this labels file; None: without."""

    def pack(text=TABLE, names=NAMES, name="labels.csv", **data):
        root = image_folder(names)
        (root / name).unlink(missing_ok=True)
        if text is not None:
            (root / name).write_text(text, encoding="utf-8")
        return prepare(Data(source=str(root), size=8, **data), cache, reporter)

    return pack


def test_a_labels_file_gives_every_image_its_attributes(packed):
    store = packed()
    assert [column.name for column in store.attributes.columns] == ["smiling", "hair", "age"]
    assert store.attributes.values[:, 0].tolist() == [0, 1] * 3
    assert store.attributes.values[:, 1].tolist() == [1, 1, 1, 0, 0, 0]  # blond is before red
    assert store.attributes.values[:, 2].tolist() == [20, 21, 24, 29, 36, 45]
    assert store.facts["bad"] == []  # the file is no skipped image
    assert store.facts["labels_file"]["remarks"] == [
        "columns left out: 1, note (it has 6 different values in 6 images, so that it tells images apart, not classes)"
    ]


def test_a_store_keeps_its_attributes(packed):
    store = packed()
    opened = open_store(store.path)
    assert opened.attributes.columns == store.attributes.columns
    assert np.array_equal(opened.attributes.values, store.attributes.values)


def test_the_labels_are_part_of_the_content(packed):
    changed = TABLE.replace("1.png,1", "1.png,0")
    contents = [packed(text).content for text in (TABLE, changed, None, TABLE)]
    assert contents[0] == contents[3]
    assert len(set(contents)) == 3
    assert packed(TABLE, labels="folders").content == contents[2]


def test_the_rows_follow_the_images_where_files_are_renamed(packed, tmp_path):
    first = packed()
    (tmp_path / "photos" / "5.png").rename(tmp_path / "photos" / "9.png")
    renamed = packed(TABLE, NAMES[:5])
    assert first.attributes.values[5, 2] == 45
    assert np.isnan(renamed.attributes.values[5]).all()
    assert "images without a row in labels.csv: 1 (9.png)" in renamed.facts["labels_file"]["remarks"]


def test_the_values_of_broken_images_are_left_out_with_them(packed, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "2b.png").write_bytes(b"broken")
    store = packed()
    assert len(store.images) == 6
    assert store.attributes.values[:, 2].tolist() == [20, 21, 24, 29, 36, 45]


def test_rows_of_dropped_copies_are_known_and_count_for_nothing(packed, image_folder):
    root = image_folder(NAMES)
    (root / "folder").mkdir()
    (root / "folder" / "2.png").write_bytes((root / "2.png").read_bytes())
    store = packed(TABLE + "folder/2.png,1,red,99,note\n", duplicates="drop")
    assert store.attributes.values[:, 2].tolist() == [20, 21, 24, 29, 36, 45]
    assert len(store.images) == 6
    assert not any("whose image is not here" in remark for remark in store.facts["labels_file"]["remarks"])


def test_a_single_column_of_classes_is_what_folders_are(packed):
    store = packed("file,label\n" + "".join(f"{name},{('b', 'a')[i % 2]}\n" for i, name in enumerate(NAMES)))
    assert store.classes == ["a", "b"]
    assert store.labels.tolist() == [1, 0] * 3
    assert store.facts["labels"] == {"a": 3, "b": 3}


def test_a_labels_file_in_a_zip_is_read(image_folder, cache, reporter, tmp_path):
    root = image_folder(NAMES)
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for name in NAMES:
            archive.write(root / name, f"faces/{name}")
        archive.writestr("faces/labels.csv", TABLE)
    store = prepare(Data(source=str(tmp_path / "faces.zip"), size=8), cache, reporter)
    assert store.attributes.values[:, 2].tolist() == [20, 21, 24, 29, 36, 45]


def test_holes_are_kept_as_missing_values_and_told(packed):
    store = packed(TABLE.replace("3.png,1,blond,29", "3.png,,,"))
    assert np.isnan(store.attributes.values[3]).all()
    assert any(
        remark.startswith("missing values: 3, in smiling (1), hair (1), age (1); such an image is kept")
        for remark in store.facts["labels_file"]["remarks"]
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("file,x\nnobody.png,red\nnowhere.png,blue\n", "6 of 6 images have no row in it"),
        ("hello\nworld\n", "a single column"),
        ("file,x\n" + "".join(f"{name},same\n" for name in NAMES), "no column can be used"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_left_aside_unless_it_is_asked_for(packed, text, why):
    store = packed(text)
    assert store.attributes is None
    assert why in store.facts["labels_file"]["not_used"]
    with pytest.raises(DataError, match="data.labels is labels.csv, which cannot be used: .*"):
        packed(text, labels="labels.csv")


def test_the_facts_are_json_and_name_rare_values():
    keys = [f"{i}.png" for i in range(100)]
    text = "file,hair,tall\n" + "".join(f"{key},{'red' if i < 3 else 'black'},{i % 2}\n" for i, key in enumerate(keys))
    facts = json.loads(json.dumps(read_labels(LabelsFile("labels.csv", text.encode()), keys).facts))
    assert facts["columns"] == [
        {"name": "hair", "kind": "class", "missing": 0, "values": {"black": 97, "red": 3}, "rare": ["red"]},
        {"name": "tall", "kind": "yes-no", "missing": 0, "values": {"no": 50, "yes": 50}, "rare": []},
    ]


@pytest.mark.parametrize(("delimiter", "quote"), [("\t", ""), (",", '"'), ("|", "")])
def test_a_decimal_comma_is_read_whatever_separates_columns(packed, delimiter, quote):
    lines = ["file", "weight"], *([name, f"{quote}{50 + i},5{quote}"] for i, name in enumerate(NAMES))
    store = packed("\n".join(delimiter.join(line) for line in lines))
    assert store.attributes.values[:, 0].tolist() == [50.5, 51.5, 52.5, 53.5, 54.5, 55.5]
    assert store.facts["labels_file"]["remarks"] == ["50,5 in weight is read as 50.5"]


@pytest.fixture
def split(image_folder, cache, reporter):
    """The store of a folder with images 0 to 5 in train and in test, and a metadata.csv of each."""

    def pack(train, test, **data):
        root = image_folder([f"{folder}/{name}" for folder in ("train", "test") for name in NAMES])
        for folder, text in (("train", train), ("test", test)):
            (root / folder / "metadata.csv").write_text(text, encoding="utf-8")
        return prepare(Data(source=str(root), size=8, **data), cache, reporter)

    return pack


@pytest.mark.parametrize("wanted", ["auto", "metadata.csv"])
def test_the_metadata_of_train_and_test_are_read_together(split, wanted):
    ages = {
        folder: "".join(f"{name},{first + i * i}\n" for i, name in enumerate(NAMES))
        for folder, first in (("train", 20), ("test", 70))
    }
    store = split(f"file_name,age\n{ages['train']}", f"file_name,age\n{ages['test']}", labels=wanted)
    assert store.attributes.values[:, 0].tolist() == [70, 71, 74, 79, 86, 95, 20, 21, 24, 29, 36, 45]
    assert store.facts["labels_file"]["name"] == "metadata.csv in test and train"
    assert store.facts["labels_file"]["remarks"] == []


def test_metadata_that_differ_are_told_and_refused_where_they_are_asked_for(split):
    texts = "file_name,age\n0.png,20\n", "file_name,hair\n0.png,red\n"
    facts = split(*texts).facts["labels_file"]
    assert facts["name"] == "metadata.csv in test and train"
    assert (
        "test/metadata.csv and train/metadata.csv have other columns, only one of them has age, hair"
        in facts["not_used"]
    )
    with pytest.raises(
        DataError, match="data.labels is metadata.csv in test and train, which cannot be used: .* other columns"
    ):
        split(*texts, labels="metadata.csv")
