"""Which folders are classes, and which divide one set."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.data.folder_classes import are_splits, natural_label, why_no_classes

NAMES = st.text(st.characters(exclude_characters="/", exclude_categories=("Cs",)), min_size=1, max_size=8)
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), max_size=12, unique=True)


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["cat/1.png", "dog/2.png"], ["cat", "dog"]),
        (["all/cat/1.png", "all/dog/2.png"], ["cat", "dog"]),
        (["cat/deep/down/1.png", "dog/2.png"], ["cat", "dog"]),
        (["1.png", "2.png"], [None, None]),
        (["cat/1.png", "cat/2.png"], [None, None]),
        (["cat/1.png", "dog/2.png", "3.png"], [None, None, None]),
        (["cat/1.png", "dog/2.png", "readme.txt"], ["cat", "dog", None]),
        (["all/cat/1.png", "all/dog/2.png", "readme.txt"], ["cat", "dog", None]),
        (["train/cat/1.png", "train/dog/2.png", "Test/dog/3.png"], ["cat", "dog", "dog"]),
        (["train/1.png", "test/2.png"], [None, None]),
        (["train/cat/1.png", "test/cat/2.png"], [None, None]),
        (["train/cat/1.png", "val/2.png"], [None, None]),
        (["train/1.png", "plane/2.png"], ["train", "plane"]),
        ([], []),
    ],
)
def test_the_first_folder_below_what_all_images_share_is_the_class(paths, labels):
    assert natural_label(paths) == labels


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        ("training_set test_set", True), ("seg_train seg_test seg_pred", True), ("train2017 val2017", True),
        ("train2014 val2014 test2015 unlabeled2017", True), ("Train Test valid", True), ("trainset testset", True),
        ("train_images test", True), ("asl_alphabet_train asl_alphabet_test", True), ("train test1", True),
        ("ImagesTrain ImagesVal", True), ("trainA testA", True),
        ("test1 test2", False), ("test_positive test_negative", False), ("steam_train toy_train", False),
        ("train plane", False), ("valid invalid", False), ("trainA trainB testA testB", False),
        ("train_tracks test_tubes", False),
        ("real_train fake_test", False), ("interval medieval", False), ("cat dog", False), ("train test models", False),
        ("train", False), ("", False),
    ],
)  # fmt: skip
def test_splits_differ_in_nothing_but_their_split(names, splits):
    assert are_splits(names.split()) == splits


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["training_set/training_set/cats/1.jpg", "training_set/training_set/dogs/2.jpg", "test_set/test_set/cats/3.jpg"],
         ["cats", "dogs", "cats"]),
        (["d/seg_train/seg_train/sea/1.jpg", "d/seg_test/seg_test/ice/2.jpg"], ["sea", "ice"]),
        (["train2017/1.jpg", "val2017/2.jpg"], [None, None]),
        (["train/images/cat/1.png", "train/images/dog/2.png", "test/images/cat/3.png"], ["cat", "dog", "cat"]),
        (["train/n01440764/1.JPEG", "val/n01443537/2.JPEG"], ["n01440764", "n01443537"]),
        (["test_positive/1.png", "test_negative/2.png"], ["test_positive", "test_negative"]),
    ],
)  # fmt: skip
def test_below_splits_what_they_share_is_no_class(paths, labels):
    assert natural_label(paths) == labels


def filled(**files):
    """Paths of folders whose names follow an underscore, with files of these numbers."""
    return [f"{folder[1:]}/{form.format(number)}" for folder, (form, numbers) in files.items() for number in numbers]


STYLEGAN = filled(_00000=("img{:08}.png", range(1000)), _00001=("img{:08}.png", range(1000, 1400)))
IMG2DATASET = filled(
    _00000=("{:09}.jpg", range(0, 10_000, 7)),
    _00001=("{:09}.jpg", range(10_000, 20_000, 3)),
    _00002=("{:09}.jpg", [20_004]),
)
FFHQ = filled(_00000=("{:05}.png", range(1000)), _01000=("{:05}.png", range(1000, 2000)), _02000=("{:05}.png", [2000]))
CUT_UP = filled(_001=("{:x}.png", range(100)), _002=("{:x}.png", range(500, 600)), _003=("{:x}.png", range(900, 920)))
CAMERA = ["100APPLE/IMG_0001.JPG", "100APPLE/IMG_E0001.JPG", "101CANON/_MG_0002.JPG", "102_PANA/P1020003.jpg"]
MONTHS = ["202301__/IMG_0001.HEIC", "202302_a/IMG_0002.PNG"]


@pytest.mark.parametrize("outer", ["", "DCIM/"])
@pytest.mark.parametrize("paths", [STYLEGAN, IMG2DATASET, FFHQ, CUT_UP, CAMERA, MONTHS])
def test_parts_of_one_set_are_no_classes(paths, outer):
    paths = [f"{outer}{path}" for path in [*paths, "list.txt"]]
    assert set(natural_label(paths)) == {None}
    assert why_no_classes(paths)["parts"] == sorted({path.split("/")[-2] for path in paths[:-1]})[:4]


def test_parts_below_splits_are_no_classes_either():
    assert set(natural_label([*(f"train/{path}" for path in STYLEGAN), *(f"val/{path}" for path in STYLEGAN)])) == {
        None
    }


CLASSES = {
    "digits": filled(_0=("{}.png", range(100)), _1=("{}.png", range(100, 200)), _2=("{}.png", [200])),
    "years": filled(_2018=("2018{:04}.png", range(1, 1300)), _2019=("2019{:04}.png", range(1, 1300))),
    "one name in each": filled(_000=("{:05}.png", range(120)), _001=("{:05}.png", range(120)), _002=("{:05}.png", range(60))),
    "traffic signs": filled(_00000=("00000_{:05}.ppm", range(30)), _00001=("00001_{:05}.ppm", range(99))),
    "a class's number first": filled(_001=("001{:03}.png", range(60)), _002=("002{:03}.png", range(60))),
    "a running number": filled(_000=("{:05}.png", range(400)), _001=("{:05}.png", range(400, 950))),
    "as many in each": filled(_001=("{}.png", range(200)), _002=("{}.png", range(200, 400)), _003=("{}.png", range(400, 600))),
    "few in each": filled(_000=("{:x}.png", range(9)), _001=("{:x}.png", range(10, 19)), _002=("{:x}.png", range(20, 25))),
    "two of them": filled(_000=("{:x}.png", range(100)), _001=("{:x}.png", range(100, 150))),
    "birds": ["001.Black_footed_Albatross/1.jpg", "002.Laysan_Albatross/2.jpg"],
    "wordnet": ["n01440764/n01440764_10026.JPEG", "n01443537/n01443537_1.JPEG"],
    "articles": ["100RED01/IMG_0001.JPG", "100BLUE1/IMG_0002.JPG"],
    "other articles": ["104RED01/IMG_0001.JPG", "317BLUE1/IMG_0002.JPG"],
    "codes": ["100APPLE/front.jpg", "101CANON/side.jpg"],
    "days": ["20190101/IMG_0001.JPG", "20210102/IMG_0002.JPG"],
    "deeper": ["000/a/0.png", "000/a/999.png", "001/b/1000.png"],
}  # fmt: skip


@pytest.mark.parametrize("paths", CLASSES.values(), ids=CLASSES)
def test_folders_that_may_be_classes_are(paths):
    assert natural_label(paths) == [path.split("/")[0] for path in paths]
    assert why_no_classes(paths) == {}


@pytest.mark.parametrize(
    ("paths", "outside"),
    [
        (["cat/1.png", "dog/2.png", "cover.jpg"], ["cover.jpg"]),
        (["all/cat/1.png", "all/dog/2.png", "all/3.png", "all/list.txt"], ["all/3.png"]),
        (["train/cat/1.png", "test/dog/2.png", "cover.jpg"], ["cover.jpg"]),
        (["train/cat/1.png", "train/dog/2.png", "test/3.png"], ["test/3.png"]),
        (["train/cat/1.png", "train/dog/2.png", "train/3.png"], ["train/3.png"]),
        (["train/cat/1.png", "train/dog/2.png", "test/3.png", "cover.jpg"], ["cover.jpg", "test/3.png"]),
        (["train/1.png", "test/2.png"], []),
        (["cat/1.png", "dog/2.png"], []),
        (["cat/1.png", "cat/2.png", "3.png"], []),
        (["1.png", "2.png"], []),
        ([], []),
    ],
)
def test_images_in_no_folder_are_those_without_which_the_others_would_have_classes(paths, outside):
    found = why_no_classes(paths)
    assert (found.get("outside", 0), found.get("examples", [])) == (len(outside), outside)


@pytest.mark.parametrize(
    ("outside", "flat"), [("test/3.png", True), ("test/a/b/4.png", False), ("3.png", False), ("train/3.png", False)]
)
def test_a_split_without_folders_beside_one_with_folders_is_told_from_stray_images(outside, flat):
    found = why_no_classes(["train/cat/1.png", "train/dog/2.png", "val/cat/5.png", outside])
    assert found.get("flat", False) == flat


@given(PATHS)
def test_why_there_are_no_classes_is_said_only_where_there_are_none_and_can_be_kept(paths):
    found = why_no_classes([f"{path}.png" for path in paths])
    assert json.loads(json.dumps(found)) == found
    assert not found or set(natural_label([f"{path}.png" for path in paths])) == {None}


@given(PATHS)
def test_there_are_no_classes_or_at_least_two_and_each_is_a_folder_of_its_path(paths):
    labels = natural_label(paths)
    assert len(labels) == len(paths)
    assert len(set(labels) - {None}) != 1 or None in labels
    assert all(label is None or label in path.split("/")[:-1] for path, label in zip(paths, labels, strict=True))


@given(PATHS, NAMES)
def test_a_folder_around_everything_changes_no_class(paths, outer):
    assert natural_label([f"{outer}/{path}" for path in paths]) == natural_label(paths)
