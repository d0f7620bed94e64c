import gzip
import struct
import zipfile

import pytest

from ganglion.data.archive import ZipSource
from ganglion.data.arrays import DigitsSource, IdxSource
from ganglion.data.find import find_source
from ganglion.data.folder import FolderSource
from ganglion.data.hub import NAMED, HubSource
from ganglion.errors import DataError


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
