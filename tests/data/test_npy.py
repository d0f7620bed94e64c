"""Arrays of images on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.find import find_source
from ganglion.data.npy import NpySource
from ganglion.data.prepare import prepare
from ganglion.errors import DataError
from ganglion.recipe.schema import Data
from ganglion.training.screen import Screen

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
            "whether the channels are the 8 of the last axis or come first cannot be told",
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
