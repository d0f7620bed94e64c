import numpy as np
import pytest
from PIL import Image, ImageDraw

from ganglion.data.decode import decode
from ganglion.data.look import WHOLE, content_box, look_at, nearly_gray


def look(page):
    image, facts = decode(page, 32)
    return look_at(image, facts.height, facts.width)


def card(ground, height=60, width=40):
    page = np.empty((height, width, len(ground)), np.uint8)
    page[:] = ground
    page[12:30, 10:20] = (200, 40, 90, 255)[: len(ground)]
    return page


@pytest.mark.parametrize(
    ("ground", "border"),
    [((255, 255, 255), "plain"), ((0, 0, 0), "plain"), ((255, 0, 0, 0), "transparent"), ((9, 9, 9, 255), "plain")],
)
def test_the_border_and_the_box_of_what_lies_within(ground, border):
    found = look(card(ground))
    assert found.border == border
    assert found.box == pytest.approx((10 / 40, 12 / 60, 20 / 40, 30 / 60), abs=1e-4)
    assert found.shape == pytest.approx((18, 10), abs=0.01)
    assert found.fill == pytest.approx(0.3, abs=1e-3)


def test_gray_and_gray_with_alpha_have_a_border_too():
    assert look(card((255, 255, 255)).mean(-1).astype(np.uint8)).border == "plain"
    image = Image.fromarray(card((255, 0, 0, 0))).convert("LA")
    assert (look_at(image, 60, 40).border, content_box(image)) == ("transparent", (10, 12, 20, 30))


def test_the_border_of_a_jpeg_is_plain_and_its_box_about_right(encode):
    found = look(encode(card((255, 255, 255), 600, 400), "JPEG", quality=80))
    assert found.border == "plain"
    assert found.box == pytest.approx((10 / 400, 12 / 600, 20 / 400, 30 / 600), abs=0.05)


def test_what_touches_the_border_here_and_there_leaves_it_plain_and_what_fills_it_does_not(noise):
    page = card((255, 255, 255))
    page[40:, 10:18] = 0, 0, 255
    assert look(page).border == "plain"
    assert (look(noise(40, 40)).border, look(noise(40, 40)).box) == ("busy", WHOLE)


@pytest.mark.parametrize(
    "page", [np.zeros((9, 7, 4), np.uint8), np.full((9, 7, 3), 5, np.uint8), np.zeros((1, 1), np.uint8)]
)
def test_an_empty_image_has_the_box_of_the_whole(page):
    assert look(page).box == WHOLE


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3)])
@pytest.mark.parametrize("channels", [1, 3, 4, 7])
def test_every_shape_has_a_look(noise, size, channels):
    page = noise(*size, channels)
    found = look(page)
    assert (found.height, found.width) == size
    assert found.kind in ("drawing", "photo", "unclear")


def disc(smooth):
    """A disc of 40 pixels on a plain ground, with hard or with anti-aliased edges."""
    times = 8 if smooth else 1
    image = Image.new("RGB", (48 * times, 48 * times), "white")
    ImageDraw.Draw(image).ellipse([4 * times, 4 * times, 44 * times, 44 * times], "navy")
    return np.asarray(image.resize((48, 48), Image.Resampling.BOX))


def test_hard_edges_are_pixel_art_and_anti_aliased_ones_are_not():
    assert look(disc(smooth=False)).pixel_art
    assert not look(disc(smooth=True)).pixel_art


def test_a_texture_of_few_colours_is_pixel_art_and_one_of_many_is_not(noise):
    few = np.random.default_rng(0).integers(0, 256, (6, 3)).astype(np.uint8)[noise(16, 16, 1) % 6]
    assert look(few).pixel_art
    assert not look(noise(16, 16)).pixel_art


def test_soft_alpha_is_not_pixel_art():
    page = np.dstack([disc(smooth=False), np.tile(np.linspace(60, 255, 48).astype(np.uint8), (48, 1))])
    assert not look(page).pixel_art


def test_flat_areas_are_a_drawing_and_noise_is_a_photo(noise):
    assert look(disc(smooth=True)).kind == "drawing"
    assert look(noise(48, 48)).kind == "photo"


def test_noise_around_gray_is_nearly_gray_and_a_touch_of_colour_is_not(noise):
    gray = np.repeat(noise(64, 64, 1)[..., None] // 2 + 60, 3, 2).astype(int)
    shaken = (gray + np.random.default_rng(1).integers(-2, 3, gray.shape)).astype(np.uint8)
    assert nearly_gray(shaken)
    assert not nearly_gray((gray + np.array([0, 0, 9])).astype(np.uint8))  # a tint all over
    shaken[20:30, 10:30] = 255, 0, 0
    assert not nearly_gray(shaken)
