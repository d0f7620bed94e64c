from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.errors import StorageError
from ganglion.pictures.sheets import columns_for, labelled_rows, save_image, sheet, side_by_side


@pytest.mark.parametrize(("count", "columns"), [(0, 1), (1, 1), (2, 2), (4, 2), (5, 3), (64, 8), (65, 9)])
def test_a_sheet_is_about_square(count, columns):
    assert columns_for(count) == columns


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_stand_row_by_row_between_gaps(channels):
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) * np.ones((1, 3, 4, channels), np.uint8)
    page = sheet(images, columns=2, gap=1, shade=99)
    assert page.shape == (3 * 4 + 1, 2 * 5 + 1, channels)
    shown = [page[1 + 4 * row, 1 + 5 * column, 0] for row in range(3) for column in range(2)]
    assert shown == [0, 1, 2, 3, 4, 99]
    assert (page[0] == 99).all()
    assert (page[:, 5] == 99).all()


def noise(height=8, width=8, channels=3, seed=0):
    """Random pixels (H, W, C), or (H, W) for one channel."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_without_gaps_every_pixel_is_an_image():
    images = np.stack([noise(seed=i) for i in range(4)])
    page = sheet(images, columns=2, gap=0)
    assert np.array_equal(page[8:, :8], images[2])
    assert page.shape == (16, 16, 3)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_saved_image_is_read_back_exactly(tmp_path, channels):
    pixels = noise(5, 7, channels).reshape(5, 7, channels)
    save_image(pixels, tmp_path / "new" / "a.png")
    with Image.open(tmp_path / "new" / "a.png") as image:
        assert np.array_equal(np.asarray(image).reshape(5, 7, channels), pixels)


def test_nothing_but_the_image_is_left_and_an_old_one_is_replaced(tmp_path):
    for seed in (0, 1):
        save_image(noise(seed=seed), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), noise(seed=1))


@pytest.mark.skipif(not Path("/sys/kernel").exists(), reason="/sys, where nobody makes a folder, is Linux's")
def test_a_place_that_cannot_be_written_is_a_storage_error():
    with pytest.raises(StorageError, match="cannot be written"):
        save_image(noise(), Path("/sys/kernel/ganglion/a.png"))


def test_rows_stand_below_each_other_with_their_words() -> None:
    images = np.zeros((5, 8, 8, 1), np.uint8)
    page = labelled_rows([("dim 3", images), ("dim 7", images + 255)], times=2, first_column=60)
    assert page.shape == (2 + 2 * 18, 60 + 5 * 18, 3)
    assert page[10, 70].tolist() == [0, 0, 0]
    assert page[28, 70].tolist() == [255, 255, 255]
    assert (page[:, :60] < 255).any()


def test_pictures_side_by_side_are_large_enough_to_see() -> None:
    page = side_by_side(
        np.stack([np.full((16, 16, 3), 128, np.uint8), np.full((16, 16, 3), 255, np.uint8)]), ["a", "b"]
    )
    assert page.shape[0] > 128
    assert page.shape[2] == 3
