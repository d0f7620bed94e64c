import numpy as np
import pytest

from ganglion.data.choose import choose_channels, choose_size
from ganglion.data.scan import scan
from ganglion.recipe.size import chain_to


@pytest.fixture
def found(listed, cache):
    return lambda *pages: scan(listed({f"{i}": page for i, page in enumerate(pages)}), cache)


def gray_as_rgb(noise, seed=0):
    return np.repeat(noise(channels=1, seed=seed)[..., None], 3, axis=2)


def opaque(noise, seed=0):
    page = noise(channels=4, seed=seed)
    page[..., 3] = 255
    return page


def test_gray_images_have_one_channel(found, noise):
    assert choose_channels(found(noise(channels=1))) == (1, "every image is gray")


def test_gray_stored_as_rgb_has_one_channel(found, noise):
    assert choose_channels(found(noise(channels=1), gray_as_rgb(noise)))[0] == 1


def test_one_colour_image_among_gray_ones_makes_three(found, noise):
    assert choose_channels(found(noise(channels=1), gray_as_rgb(noise), noise())) == (
        3,
        "1 of 3 images are in colour",
    )


def test_an_alpha_channel_that_is_opaque_everywhere_is_none(found, noise):
    assert choose_channels(found(opaque(noise)))[0] == 3


def test_real_alpha_has_four_channels(found, noise):
    assert choose_channels(found(noise(channels=4))) == (4, "1 of 1 images have transparent pixels")


def test_alpha_in_half_or_fewer_of_the_images_is_laid_over_white_and_said(found, noise):
    channels, why = choose_channels(found(noise(channels=4), noise()))
    assert channels == 3
    assert why.endswith("transparent pixels of 1 images are laid over white")


def test_alpha_in_most_images_has_four_channels(found, noise):
    assert choose_channels(found(noise(channels=4), noise(channels=4, seed=1), noise()))[0] == 4


def test_gray_with_alpha_in_few_images_has_one_channel(found, encode):
    transparent = encode(np.array([[[9, 0], [9, 255]]], np.uint8))
    pages = [transparent, np.zeros((1, 2), np.uint8), np.ones((1, 2), np.uint8)]
    channels, why = choose_channels(found(*pages))
    assert channels == 1
    assert "laid over white" in why


@pytest.mark.parametrize(
    ("median", "size"),
    [
        ((28, 28), (28, 28)),
        ((32, 32), (32, 32)),
        ((8, 8), (16, 16)),
        ((500, 500), (64, 64)),
        ((218, 178), (64, 64)),
        ((600, 400), (96, 64)),
        ((400, 600), (64, 96)),
        ((2000, 10), (16, 16)),
    ],
)
def test_the_size_has_the_shape_of_the_median_image_and_a_short_side_of_at_most_64(found, noise, median, size):
    chosen, why = choose_size(found(noise(*median)))
    assert chosen == size
    assert chain_to(chosen)
    assert "the median image is" in why
    assert "--size chooses another" in why
