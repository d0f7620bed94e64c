from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.errors import StorageError
from ganglion.pictures.sheets import columns_for, displayed, save_image, sheet


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


def test_without_gaps_every_pixel_is_an_image(noise):
    images = np.stack([noise(seed=i) for i in range(4)])
    page = sheet(images, columns=2, gap=0)
    assert np.array_equal(page[8:, :8], images[2])
    assert page.shape == (16, 16, 3)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_saved_image_is_read_back_exactly(tmp_path, noise, channels):
    pixels = noise(5, 7, channels).reshape(5, 7, channels)
    save_image(pixels, tmp_path / "new" / "a.png")
    with Image.open(tmp_path / "new" / "a.png") as image:
        assert np.array_equal(np.asarray(image).reshape(5, 7, channels), pixels)


def test_nothing_but_the_image_is_left_and_an_old_one_is_replaced(tmp_path, noise):
    for seed in (0, 1):
        save_image(noise(seed=seed), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), noise(seed=1))


@pytest.mark.skipif(not Path("/sys/kernel").exists(), reason="/sys, where nobody makes a folder, is Linux's")
def test_a_place_that_cannot_be_written_is_a_storage_error(noise):
    with pytest.raises(StorageError, match="cannot be written"):
        save_image(noise(), Path("/sys/kernel/ganglion/a.png"))


@pytest.mark.parametrize(
    ("count", "shown"), [(1, [0]), (2, [0]), (3, [0, 1, 2]), (4, [0, 1, 2, 3]), (5, [0, 1, 2]), (64, [0, 1, 2])]
)
def test_images_of_any_number_of_channels_are_shown(tmp_path, noise, count, shown):
    images = noise(6, 7, count).reshape(1, 6, 7, count)
    assert np.array_equal(displayed(images), images[..., shown])
    assert np.array_equal(displayed(displayed(images)), displayed(images))
    assert np.array_equal(sheet(images, gap=0)[None], images[..., shown])
    save_image(images[0], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image).reshape(6, 7, len(shown)), images[0][..., shown])


def test_chosen_channels_are_shown_in_their_order(tmp_path, noise):
    images = noise(6, 7, 13).reshape(1, 6, 7, 13)
    assert np.array_equal(displayed(images, (12, 0, 3)), images[..., [12, 0, 3]])
    assert np.array_equal(sheet(images, gap=0, channels=(12, 0, 3)), images[0][..., [12, 0, 3]])
    save_image(images[0], tmp_path / "a.png", (3, 3, 1))
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), images[0][..., [3, 3, 1]])
