import numpy as np
import pytest
from PIL import Image

from ganglion.data.alpha import straight
from ganglion.data.decode import Unreadable, decode
from ganglion.data.fit import Fit, fit, fit_of, recipe_values
from ganglion.recipe.resolve import resolve, update


def corners():
    """8x16 pixels, each quarter of another colour: red, green / blue, white."""
    page = np.zeros((8, 16, 3), np.uint8)
    page[:4, :8], page[:4, 8:], page[4:, :8], page[4:, 8:] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
    return page


def test_a_picture_of_the_right_size_is_not_touched_by_any_policy(noise):
    for policy in ("crop", "pad", "stretch"):
        assert np.array_equal(fit(Image.fromarray(noise(8, 4)), Fit((8, 4), 3, policy)), noise(8, 4))


def test_crop_keeps_the_centre():
    page = np.zeros((4, 12, 3), np.uint8)
    page[:, 4:8] = 200
    assert np.array_equal(fit(Image.fromarray(page), Fit((4, 4), 3, "crop")), np.full((4, 4, 3), 200, np.uint8))


def test_stretch_changes_the_aspect_and_keeps_the_corners():
    found = fit(Image.fromarray(np.kron(corners(), np.ones((4, 4, 1), np.uint8))), Fit((16, 16), 3, "stretch"))
    assert [found[y, x].tolist() for y, x in ((0, 0), (0, 15), (15, 0), (15, 15))] == [
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
        [255, 255, 255],
    ]


@pytest.mark.parametrize("size", [(1, 500), (500, 1)])
@pytest.mark.parametrize("policy", ["crop", "pad", "stretch"])
def test_even_a_line_of_pixels_is_made_to_fit(policy, size):
    found = fit(Image.new("RGB", size, "white"), Fit((16, 16), 3, policy))
    assert found.shape == (16, 16, 3)
    assert found.max() == 255


def test_a_smaller_copy_keeps_the_mean(noise):
    big = noise(64, 64)
    small = fit(Image.fromarray(big), Fit((8, 8), 3, "stretch"))
    assert small.mean() == pytest.approx(big.mean(), abs=2)  # the filter rounds and clips at the edges


def test_colour_becomes_gray_by_the_luma_of_bt_601():
    gray = fit(Image.new("RGB", (1, 1), (255, 0, 0)), Fit((1, 1), 1, "crop"))
    assert gray.item() == round(0.299 * 255)


@pytest.mark.parametrize("policy", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("channels", [2, 5, 13, 64])
def test_each_channel_of_an_array_is_made_to_fit_as_a_gray_picture_is(noise, channels, policy):
    page = noise(20, 30, channels)
    found = fit(decode(page)[0], Fit((16, 16), channels, policy))
    alone = [
        fit(Image.fromarray(np.ascontiguousarray(page[..., c])), Fit((16, 16), 1, policy)) for c in range(channels)
    ]
    assert np.array_equal(found, np.concatenate(alone, 2))


def test_three_channels_side_by_side_are_made_to_fit_as_pillow_does_it(noise):
    deep = np.dstack([noise(20, 30), noise(20, 30, seed=1)])
    for policy in ("crop", "pad", "stretch"):
        found = fit(decode(deep)[0], Fit((16, 16), 6, policy))
        assert np.array_equal(found[..., :3], fit(Image.fromarray(noise(20, 30)), Fit((16, 16), 3, policy)))


def test_an_array_of_another_number_of_channels_is_not_cut_to_fit(noise):
    with pytest.raises(Unreadable, match="5 channels, not 3"):
        fit(decode(noise(channels=5))[0], Fit((8, 8), 3, "crop"))
    with pytest.raises(Unreadable, match="5 channels were requested; image files have 1, 3 or 4"):
        fit(decode(noise())[0], Fit((8, 8), 5, "crop"))


@pytest.mark.parametrize("ground", ["white", "black", (30, 200, 90)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_padding_continues_the_colour_of_the_border(channels, ground):
    page = Image.new("RGB", (12, 4), ground)
    page.paste((200, 0, 0), (4, 1, 8, 3))
    found = fit(page, Fit((12, 12), channels, "pad"))
    outside = np.concatenate([found[:4], found[8:]])
    assert found.shape == (12, 12, channels)
    assert (outside == found[4, 0]).all()
    assert channels < 4 or (outside[..., 3] == 255).all()
    assert (found[4:8] != found[4, 0]).any()


@pytest.mark.parametrize("filled", [False, True])
def test_padding_of_an_image_with_a_transparent_or_a_busy_border_is_transparent(noise, filled):
    page = noise(4, 12, 4)
    page[..., 3] = 255
    if not filled:
        page[[0, -1]], page[:, [0, -1]] = 0, 0
    found = fit(Image.fromarray(page), Fit((12, 12), 4, "pad"))
    assert not found[:4].any()
    assert not found[8:].any()
    assert found[4:8].any()


def test_padding_of_what_is_composited_over_white_is_white():
    page = np.zeros((4, 12, 4), np.uint8)
    page[1:3, 3:9] = 200, 0, 0, 255
    assert (fit(Image.fromarray(page), Fit((12, 12), 3, "pad"))[:4] == 255).all()


@pytest.mark.parametrize("ground", [(255, 255, 255, 255), (0, 0, 0, 0), (255, 0, 0, 0)])
def test_trimming_each_leaves_its_content_with_a_narrow_margin(ground):
    page = np.empty((100, 80, 4), np.uint8)
    page[:] = ground
    page[40:60, 10:30] = 0, 0, 200, 255
    found = straight(fit(Image.fromarray(page), Fit((44, 44), 4, "pad", trim="each", resample="nearest")))
    blue = (found[..., :3] == (0, 0, 200)).all(-1) & (found[..., 3] == 255)
    rows, columns = np.flatnonzero(blue.any(1)), np.flatnonzero(blue.any(0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (2, 41, 2, 41), (
        "20 pixels with 1 around them, twice as large"
    )


def test_trimming_leaves_an_image_without_a_margin_and_an_empty_one_whole(noise):
    for page in (noise(20, 30), np.full((20, 30, 3), 9, np.uint8), np.zeros((20, 30, 4), np.uint8)):
        channels = page.shape[2]
        trimmed, whole = (
            fit(Image.fromarray(page), Fit((20, 30), channels, "crop", trim=trim)) for trim in ("each", "off")
        )
        assert np.array_equal(trimmed, whole)


def test_a_common_box_is_cut_from_images_of_every_size():
    page = corners()  # 8x16
    for times in (1, 4):
        image = Image.fromarray(np.kron(page, np.ones((times, times, 1), np.uint8)))
        found = fit(image, Fit((4, 4), 3, "stretch", trim="common", box=(0.5, 0.5, 1.0, 1.0)))
        assert (found == 255).all()


@pytest.mark.parametrize("policy", ["crop", "pad", "stretch"])
def test_nearest_enlarges_by_a_whole_factor_and_makes_no_new_colour(noise, policy):
    found = fit(Image.fromarray(noise(16, 16)), Fit((64, 64), 3, policy, resample="nearest"))
    assert np.array_equal(found, np.kron(noise(16, 16), np.ones((4, 4, 1), np.uint8)))


def test_nearest_pads_what_no_whole_factor_fills():
    page = np.zeros((12, 12, 3), np.uint8)
    page[1:11, 1:11] = 200
    found = fit(Image.fromarray(page), Fit((40, 40), 3, "pad", resample="nearest"))
    assert np.array_equal(found[2:38, 2:38], np.kron(page, np.ones((3, 3, 1), np.uint8)))
    assert not found[:2].any()


def test_nearest_makes_smaller_with_lanczos(noise):
    page = Image.fromarray(noise(40, 40))
    nearest, lanczos = (fit(page, Fit((16, 16), 3, "crop", resample=name)) for name in ("nearest", "lanczos"))
    assert np.array_equal(nearest, lanczos)


def test_the_settings_of_a_recipe_are_those_of_its_run():
    settings = Fit((32, 48), 4, "pad", "common", (0.1, 0.1, 0.9, 0.9), "nearest", "drop")
    assert fit_of(update(resolve("fast"), **recipe_values(settings)).data) == settings
