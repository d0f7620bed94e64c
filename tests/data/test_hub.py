import pickle

import pytest

from ganglion.data.hub import NAMED, HubSource, parse_hub_name
from ganglion.data.scan import scan
from ganglion.errors import DataError


@pytest.fixture
def kinds(hub_library):
    return {
        "image": hub_library.Image(),
        "mask": hub_library.Image(),
        "label": hub_library.ClassLabel(names=["cat", "dog"]),
        "text": hub_library.Value("string"),
    }


@pytest.fixture
def copy(parquet, kinds, noise, encode):
    """A local copy with the columns asked for, three rows each."""
    cells = {
        "image": [{"bytes": encode(noise(seed=i)), "path": None} for i in range(3)],
        "mask": [{"bytes": encode(noise(channels=1, seed=i)), "path": None} for i in range(3)],
        "label": [1, 0, 1],
        "text": ["a", "b", "c"],
    }
    return lambda *columns, **other: str(parquet({key: other.get(key, cells[key]) for key in columns}, kinds))


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("hf:owner/name", ("owner/name", None)),
        ("hf:owner/na-me.v1:column_1", ("owner/na-me.v1", "column_1")),
        ("mnist", (NAMED["mnist"], None)),
        ("hf:mnist", None),
        ("owner/name", None),
        ("hf:a/b/c", None),
        ("digits", None),
    ],
)
def test_a_name_is_a_repository_with_or_without_a_column(name, means):
    assert parse_hub_name(name) == means


def test_images_come_out_byte_for_byte_with_the_names_of_their_classes(copy, noise, encode):
    source = HubSource(copy("image", "label", "text"))
    entries = source.entries()
    assert [entry.label for entry in entries] == ["dog", "cat", "dog"]
    assert [source.read(entry) for entry in entries] == [encode(noise(seed=i)) for i in range(3)]


def test_without_a_class_label_there_are_no_classes(copy):
    assert [entry.label for entry in HubSource(copy("image", "text")).entries()] == [None] * 3


def test_a_column_can_be_chosen_where_there_are_two(copy, noise, encode):
    source = HubSource(copy("image", "mask"), "mask")
    assert source.read(source.entries()[1]) == encode(noise(channels=1, seed=1))


@pytest.mark.parametrize(
    ("columns", "asked", "says"),
    [
        (["image", "mask"], None, r"no single column of images; columns of images: image, mask \(of image, mask\)"),
        (["image", "text"], "pic", r"column 'pic' holds no images; columns of images: image \(of image, text\)"),
        (["image", "text"], "text", r"column 'text' holds no images; columns of images: image"),
        (["text"], None, r"no single column of images; columns of images: none \(of text\)"),
    ],
)
def test_a_column_that_cannot_be_meant_is_refused_with_those_there_are(copy, columns, asked, says):
    with pytest.raises(DataError, match=says):
        HubSource(copy(*columns), asked).fingerprint()


def test_a_row_without_an_image_is_listed_and_skipped(copy, cache, noise, encode):
    cells = [{"bytes": encode(noise()), "path": None}, None, {"bytes": encode(noise(seed=2)), "path": None}]
    result = scan(HubSource(copy("image", image=cells)), cache)
    assert result.images == 2
    assert result.bad == [("row 1", "the row has no image")]


def test_a_row_without_a_class_has_none(copy):
    labels = [entry.label for entry in HubSource(copy("image", "label", label=[1, -1, None])).entries()]
    assert labels == ["dog", None, None]


def test_a_data_set_that_cannot_be_loaded_says_how_to_name_a_local_copy(hub_library, tmp_path):
    with pytest.raises(DataError, match=r"cannot be loaded \(.*name a local copy with --data-dir"):
        HubSource(str(tmp_path / "nowhere")).entries()


def test_the_fingerprint_stays_for_the_same_data_and_changes_with_the_column(copy):
    origin = copy("image", "mask")
    assert HubSource(origin, "image").fingerprint() == HubSource(origin, "image").fingerprint()
    assert HubSource(origin, "image").fingerprint() != HubSource(origin, "mask").fingerprint()


def test_the_pixels_reach_the_scan(copy, cache):
    result = scan(HubSource(copy("image", "label")), cache)
    assert (result.images, result.modes, result.labels) == (3, {"RGB": 3}, {"cat": 1, "dog": 2})


def test_a_data_set_can_be_sent_to_a_worker():
    source = HubSource("owner/name", "image")
    assert pickle.loads(pickle.dumps(source)) == source
