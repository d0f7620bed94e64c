import gzip
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ganglion.data.arrays import DigitsSource, IdxSource
from ganglion.data.find import find_source
from ganglion.data.hub import NAMED, HubSource, parse_hub_name
from ganglion.data.scan import scan
from ganglion.data.sources import FolderSource, ZipSource
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


@pytest.fixture
def zipped(tmp_path):
    """Makes an empty zip."""

    def write(name="a.zip", folder=tmp_path):
        with zipfile.ZipFile(folder / name, "w"):
            pass
        return folder / name

    return write


def write_idx(folder, name="train-images-idx3-ubyte.gz"):
    (folder / name).write_bytes(gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", 1, 1, 1) + b"\7"))
    return folder / name


def refusal(*args):
    with pytest.raises(DataError) as caught:
        find_source(*args)
    return str(caught.value)


def test_a_folder_is_a_folder(tmp_path):
    assert find_source(str(tmp_path)) == FolderSource(tmp_path)


def test_a_folder_with_idx_files_is_its_images(tmp_path):
    assert find_source(str(tmp_path), None) == FolderSource(tmp_path)
    path = write_idx(tmp_path)
    assert find_source(str(tmp_path)) == find_source(str(path)) == IdxSource(path)


def test_a_zip_is_known_by_its_content_or_its_name(zipped, tmp_path):
    assert find_source(str(zipped())) == ZipSource(tmp_path / "a.zip")
    assert find_source(str(zipped("photos.cbz"))) == ZipSource(tmp_path / "photos.cbz")
    (tmp_path / "torn.ZIP").write_bytes(b"PK")
    assert find_source(str(tmp_path / "torn.ZIP")) == ZipSource(tmp_path / "torn.ZIP")


def test_another_file_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"tar")
    assert "is neither a folder, a zip, an IDX nor an NPY file; unpack it" in refusal(str(tmp_path / "a.tar"))


def test_a_folder_of_ones_own_called_digits_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert find_source("digits") == FolderSource(Path("digits"))


def test_several_arrays_in_one_file_are_refused_with_a_remedy(tmp_path):
    np.savez(tmp_path / "x.npz", np.zeros((2, 16, 16), np.uint8))
    with pytest.raises(DataError, match="holds several arrays; save the one that holds the images with numpy.save"):
        find_source(str(tmp_path / "x.npz")).entries()


def test_digits_are_bundled():
    assert find_source("digits") == DigitsSource()


@pytest.mark.parametrize("name", NAMED)
def test_a_known_name_means_its_repository(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_source(name) == HubSource(NAMED[name], None)


def test_any_repository_can_be_named_with_its_column():
    assert find_source("hf:owner/name:photo") == HubSource("owner/name", "photo")


def test_a_name_that_means_nothing_is_shown_the_names_and_the_nearest():
    message = refusal("cifr10")
    assert "there is no file or folder 'cifr10', nor a data set of that name" in message
    assert message.endswith("did you mean 'cifar10'?")
    assert all(name in message for name in ("digits", *NAMED))


@pytest.mark.parametrize("name", ["digits", "photos/", "cifr10"])
def test_a_local_copy_goes_with_a_named_data_set_only(name, tmp_path):
    assert "--data-dir goes with a named data set" in refusal(name, tmp_path)


def test_a_local_copy_that_is_not_there_is_named(tmp_path):
    assert refusal("mnist", tmp_path / "nowhere").endswith("nowhere: there is no such folder")


def test_a_local_copy_may_be_idx_files(tmp_path):
    path = write_idx(tmp_path)
    assert find_source("mnist", tmp_path) == IdxSource(path)


def test_a_local_copy_may_be_a_zip_or_a_folder_with_one(zipped, tmp_path):
    path = zipped("cifar10-train.zip")
    assert find_source("cifar10", path) == find_source("cifar10", tmp_path) == ZipSource(path)


def test_a_local_copy_among_several_zips_is_found_by_the_name(zipped, tmp_path):
    zipped("flowers.zip")
    assert find_source("cifar10", tmp_path.joinpath()) == ZipSource(tmp_path / "flowers.zip")
    path = zipped("cifar10-train.zip")
    assert find_source("cifar10", tmp_path) == ZipSource(path)


def test_a_local_copy_may_be_a_folder_of_images(image_folder):
    root = image_folder(["cat/1.png", "dog/2.png"])
    assert find_source("hf:owner/pets", root) == FolderSource(root)


def test_a_local_copy_may_be_what_the_hub_would_send(hub_library, parquet, noise, encode):
    cells = [{"bytes": encode(noise()), "path": None}]
    folder = parquet({"photo": cells, "mask": cells}, {"photo": hub_library.Image(), "mask": hub_library.Image()})
    source = find_source("hf:owner/name:photo", folder)
    assert source == HubSource(str(folder), "photo")
    assert source.read(source.entries()[0]) == encode(noise())


def test_the_real_sets_are_found_as_local_copies(real):
    root = real("cifar10-train.zip").parent
    assert find_source("cifar10", root) == ZipSource(root / "cifar10-train.zip")
    assert find_source("mnist", real("mnist")) == IdxSource(root / "mnist" / "train-images-idx3-ubyte.gz")


@pytest.mark.parametrize("name", ["images", "images.zip", "images.npy"])
def test_a_source_that_may_not_be_read_is_said(tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.write_bytes(b"") if path.suffix else path.mkdir()

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refused)
    monkeypatch.setattr(type(path), "iterdir", refused)
    with pytest.raises(DataError, match=f"{name} cannot be read: Permission denied"):
        find_source(str(path))
