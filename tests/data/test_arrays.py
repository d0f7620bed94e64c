"""Arrays of images on disk."""

from __future__ import annotations

import gzip
import os
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from ganglion.data.arrays import DigitsSource, IdxSource, NpySource, find_idx_images, is_idx_name, read_idx
from ganglion.data.find import find_source
from ganglion.data.prepare import prepare
from ganglion.data.scan import scan
from ganglion.errors import DataError
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Data


def idx(array, kind=0x08):
    """An array as the bytes of an IDX file."""
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def mnist_like(tmp_path):
    """Writes images and labels in MNIST's layout, gzipped or not."""

    def write(images, labels=None, suffix=".gz", part="train"):
        pack = gzip.compress if suffix else bytes
        path = tmp_path / f"{part}-images-idx3-ubyte{suffix}"
        path.write_bytes(pack(idx(images)))
        if labels is not None:
            (tmp_path / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(labels)))
        return path

    return write


IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([7, 0, 7], np.uint8)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_images_and_labels_are_read_gzipped_or_not(mnist_like, suffix):
    source = IdxSource(mnist_like(IMAGES, LABELS, suffix))
    entries = source.entries()
    assert [entry.label for entry in entries] == ["7", "0", "7"]
    assert all(np.array_equal(source.read(entry), IMAGES[i]) for i, entry in enumerate(entries))


def test_images_without_a_labels_file_have_no_class(mnist_like):
    assert [entry.label for entry in IdxSource(mnist_like(IMAGES)).entries()] == [None] * 3


def test_images_of_four_axes_have_channels(tmp_path):
    (tmp_path / "images.idx").write_bytes(idx(np.zeros((2, 4, 5, 3), np.uint8)))
    source = IdxSource(tmp_path / "images.idx")
    assert source.read(source.entries()[0]).shape == (4, 5, 3)


def test_labels_of_another_number_than_images_are_refused(mnist_like):
    with pytest.raises(DataError, match=r"holds labels of shape \(2,\); .* has 3 images"):
        IdxSource(mnist_like(IMAGES, LABELS[:2])).entries()


def test_an_array_of_two_axes_is_no_set_of_images(tmp_path):
    (tmp_path / "images.idx").write_bytes(idx(np.zeros((2, 4), np.uint8)))
    with pytest.raises(DataError, match="2 axes; images have 3"):
        IdxSource(tmp_path / "images.idx").entries()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "must begin with two zero bytes"),
        (b"\0\0", "must begin with two zero bytes"),
        (b"PK\3\4 a zip", "must begin with two zero bytes"),
        (idx(IMAGES, kind=0x0D), "numbers of type 0x0d"),
        (idx(IMAGES)[:-1], "truncated or damaged"),
        (idx(IMAGES)[:9], "truncated or damaged"),
        (idx(IMAGES) + b"\0", "truncated or damaged"),
        (gzip.compress(idx(IMAGES), mtime=0)[:30], "cannot be read"),
        (gzip.compress(idx(IMAGES), mtime=0)[:20] + bytes(20), "cannot be read"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_with_the_reason(tmp_path, content, says):
    (tmp_path / "images.idx").write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_idx(tmp_path / "images.idx")


def test_a_file_that_was_replaced_is_read_anew_by_the_same_process(mnist_like):
    source = IdxSource(mnist_like(IMAGES))
    assert len(source.entries()) == 3
    mnist_like(IMAGES[:2])
    assert len(source.entries()) == 2


def test_the_fingerprint_changes_with_images_and_with_labels(mnist_like):
    source = IdxSource(mnist_like(IMAGES))
    seen = [source.fingerprint()]
    mnist_like(IMAGES, LABELS)
    seen.append(source.fingerprint())
    mnist_like(IMAGES[:2], LABELS[:2])
    assert len({*seen, source.fingerprint()}) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes names that are no valid text")
def test_a_file_in_a_folder_whose_name_is_no_valid_text_is_scanned(tmp_path, cache):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "images.idx").write_bytes(idx(IMAGES))
    assert scan(IdxSource(folder / "images.idx"), cache).images == 3


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "x.idx", "x.idx3-ubyte"])
def test_idx_files_are_known_by_their_names(name):
    assert is_idx_name(name)


@pytest.mark.parametrize("name", ["images.png", "idx.png", "x.idx.txt", "index", "a.gz"])
def test_other_files_are_not_taken_for_idx_files(name):
    assert not is_idx_name(name)


def test_the_training_images_are_found_before_the_test_images(mnist_like, tmp_path):
    mnist_like(IMAGES, LABELS, part="t10k")
    assert find_idx_images(tmp_path).name == "t10k-images-idx3-ubyte.gz"
    mnist_like(IMAGES, LABELS)
    assert find_idx_images(tmp_path).name == "train-images-idx3-ubyte.gz"


def test_a_folder_of_labels_alone_has_no_idx_images(mnist_like, tmp_path):
    mnist_like(IMAGES, LABELS).unlink()
    assert find_idx_images(tmp_path) is None


def test_the_digits_are_1797_images_of_ten_classes_in_17_levels_up_to_white():
    source = DigitsSource()
    entries = source.entries()
    assert len(entries) == 1797
    assert {entry.label for entry in entries} == set("0123456789")
    pixels = np.stack([source.read(entry) for entry in entries])
    assert pixels.shape == (1797, 8, 8)
    assert len(np.unique(pixels)) == 17
    assert (pixels.min(), pixels.max()) == (0, 255)


@pytest.mark.parametrize("source", [DigitsSource(), IdxSource("x")])
def test_a_source_can_be_sent_to_a_worker(source):
    assert pickle.loads(pickle.dumps(source)) == source


def test_the_real_mnist_has_its_known_labels(real):
    source = IdxSource(find_idx_images(real("mnist")))
    entries = source.entries()
    assert len(entries) == 60_000
    assert [entry.label for entry in entries[:5]] == ["5", "0", "4", "1", "9"]  # as LeCun's page shows them
    assert source.read(entries[0]).shape == (28, 28)


PIXELS = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
PIXELS[0, 0, 0], PIXELS[0, 0, 1] = 0, 255  # so that every range is reached


def saved(tmp_path: Path, array: np.ndarray) -> NpySource:
    np.save(tmp_path / "x.npy", array)
    source = find_source(str(tmp_path / "x.npy"))
    assert isinstance(source, NpySource)
    return source


def read_back(source: NpySource) -> np.ndarray:
    return np.stack([source.read(entry) for entry in source.entries()])


@pytest.mark.parametrize(
    "array",
    [
        PIXELS,
        PIXELS / 255,
        (PIXELS / 127.5 - 1).astype(np.float32),
        PIXELS.astype(np.float64),
        PIXELS.transpose(0, 3, 1, 2),
        (PIXELS / 127.5 - 1).transpose(0, 3, 1, 2),
    ],
    ids=["uint8", "[0,1]", "[-1,1]", "[0,255]", "NCHW", "NCHW [-1,1]"],
)
def test_every_customary_range_and_order_gives_the_same_pixels(tmp_path: Path, array: np.ndarray) -> None:
    np.testing.assert_array_equal(read_back(saved(tmp_path, array)), PIXELS)


def test_gray_images_need_no_axis_of_channels(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_back(saved(tmp_path, PIXELS[..., 0])), PIXELS[..., 0])


def test_the_description_says_how_floats_were_read(tmp_path: Path) -> None:
    assert saved(tmp_path, PIXELS / 127.5 - 1).description.endswith("(float64 in [-1, 1])")
    assert saved(tmp_path, PIXELS).description.endswith("(uint8)")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (PIXELS.astype(np.float32) * 2, "values from 0 to 510; floats are images in"),
        (PIXELS.astype(np.int64), "holds int64; images are uint8"),
        (np.zeros((2, 8), np.uint8), "has 2 axes; images have 3"),
        (
            np.zeros((2, 8, 8, 8), np.uint8),
            "ambiguous whether the last axis, of 8, or the first holds the channels",
        ),
        (np.zeros((16, 16, 3), np.uint8), "which is one image, or images of 3 pixels' width"),
        (np.array(["a"], object), "is not a NumPy file of plain numbers"),
    ],
)
def test_what_is_no_array_of_images_is_refused_in_words(tmp_path: Path, array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        saved(tmp_path, array).entries()


def test_an_image_with_bad_values_is_one_unreadable_image(tmp_path: Path) -> None:
    array = np.tile(PIXELS / 255, (80, 1, 1, 1))
    array[3, 0, 0, 0] = np.nan
    source = saved(tmp_path, array)
    with pytest.raises(ValueError, match="values outside"):
        source.read(source.entries()[3])


def test_a_store_is_made_of_an_array_and_made_anew_when_it_changes(tmp_path: Path) -> None:
    saved(tmp_path, PIXELS)
    wanted = Data(source=str(tmp_path / "x.npy"))
    before = prepare(wanted, tmp_path / "cache", Screen(quiet=True))
    np.testing.assert_array_equal(before.images, PIXELS)
    np.save(tmp_path / "x.npy", PIXELS[::-1])
    after = prepare(wanted, tmp_path / "cache", Screen(quiet=True))
    np.testing.assert_array_equal(after.images, PIXELS[::-1])
    assert after.content != before.content
