import numpy as np
import pytest

from ganglion.data.choices import choose, choose_channels, choose_fit, choose_resample, choose_size, choose_trim
from ganglion.data.scan import scan
from ganglion.recipe.schema import Data
from ganglion.recipe.size import chain_to


@pytest.fixture
def found(listed, cache):
    return lambda *pages: scan(listed({f"{i}": page for i, page in enumerate(pages)}, {}, None), cache)


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
    assert why.endswith("1 images with transparent pixels are composited over white")


def test_alpha_in_most_images_has_four_channels(found, noise):
    assert choose_channels(found(noise(channels=4), noise(channels=4, seed=1), noise()))[0] == 4


def test_gray_with_alpha_in_few_images_has_one_channel(found, encode):
    transparent = encode(np.array([[[9, 0], [9, 255]]], np.uint8))
    pages = [transparent, np.zeros((1, 2), np.uint8), np.ones((1, 2), np.uint8)]
    channels, why = choose_channels(found(*pages))
    assert channels == 1
    assert "composited over white" in why


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
        ((2000, 10), (64, 16)),
    ],
)
def test_the_size_has_the_shape_of_the_median_image_and_a_short_side_of_at_most_64(found, noise, median, size):
    chosen, why = choose_size(found(noise(*median)))
    assert chosen == size
    assert chain_to(chosen)
    assert "the median image is" in why
    assert "--size chooses another" in why


def drawing(height, width, box, ground=(255, 255, 255), seed=0):
    """A filled rectangle of some colours on a plain ground; `box`: left, top, right, bottom in pixels."""
    left, top, right, bottom = box
    page = np.empty((height, width, len(ground)), np.uint8)
    page[:] = ground
    page[top:bottom, left:right, :3] = np.random.default_rng(seed).integers(0, 200, 3)
    if len(ground) == 4:
        page[top:bottom, left:right, 3] = 255
    return page


def smooth(height, width, seed=0):
    """Like a photo: no flat areas, no border of one colour."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / random.uniform(2, 5) + y / random.uniform(2, 5) + random.uniform(0, 6)) for _ in range(3)]
    page = 128 + 60 * np.stack(waves, -1) + random.normal(0, 12, (height, width, 3))
    return page.clip(0, 255).astype(np.uint8)


SHAPES = [(60, 60), (40, 80), (80, 40), (64, 48), (30, 90), (90, 64)]


def test_images_of_one_shape_are_cropped_which_cuts_nothing(found):
    scanned = found(*(smooth(40, 40, seed) for seed in range(6)))
    policy, why = choose_fit(scanned, (32, 32))
    assert (policy, why) == ("crop", "cropping to 32 cuts off nothing")


@pytest.mark.parametrize("ground", [(255, 255, 255), (0, 0, 0), (9, 200, 90), (0, 0, 0, 0)])
def test_drawings_of_many_shapes_on_a_plain_or_transparent_ground_are_padded(found, ground):
    pages = [drawing(h, w, (2, 2, w - 2, h - 2), ground, seed) for seed, (h, w) in enumerate(SHAPES)]
    policy, why = choose_fit(found(*pages), (32, 32))
    assert policy == "pad"
    assert why.startswith("6 of 6 images have a transparent or plain border")


def test_photos_of_many_shapes_are_cropped(found):
    policy, why = choose_fit(found(*(smooth(h, w, seed) for seed, (h, w) in enumerate(SHAPES))), (32, 32))
    assert policy == "crop"
    assert why.startswith("6 of 6 images fill their frame; cropping the centre cuts off ")


def test_flags_of_about_one_shape_are_stretched(found):
    flags = []
    for seed, (h, w) in enumerate([(40, 60), (40, 64), (40, 66), (40, 52)] * 2):
        page = drawing(h, w, (0, 0, w // 3, h), (200, 10, 30), seed)
        page[:, 2 * w // 3 :] = 10, 40, 250
        page[h // 2 :] = page[h // 2 :, ::-1]
        flags.append(page)
    assert choose_fit(found(*flags), (40, 60))[0] == "stretch"


def test_margins_that_differ_in_frames_that_differ_are_trimmed_from_each(found):
    boxes = [(5, 5, 20, 20), (30, 10, 58, 30), (1, 1, 39, 79), (20, 20, 40, 50), (10, 5, 30, 25), (2, 2, 62, 88)]
    pages = [
        drawing(h, w, box, (0, 0, 0, 0), seed) for seed, ((h, w), box) in enumerate(zip(SHAPES, boxes, strict=True))
    ]
    trim, box, why = choose_trim(found(*pages))
    assert (trim, box) == ("each", None)
    assert why.startswith("empty margins differ")


def test_narrow_margins_stay(found):
    pages = [drawing(h, w, (2, 2, w - 2, h - 2), seed=seed) for seed, (h, w) in enumerate(SHAPES)]
    assert choose_trim(found(*pages))[:2] == ("off", None)


def test_sprites_in_frames_of_one_size_keep_their_place(found):
    boxes = [(2, 20, 12, 40), (30, 2, 40, 30), (4, 4, 38, 38), (20, 30, 40, 40)]
    pages = [drawing(42, 42, box, (0, 0, 0, 0), seed) for seed, box in enumerate(boxes)]
    trim, box, why = choose_trim(found(*pages))
    assert (trim, box) == ("off", None)
    assert "the place in the frame is kept" in why


def test_what_is_empty_in_all_frames_of_one_size_is_cut_from_all_alike(found):
    boxes = [(40, 60, 50, 80), (45, 50, 70, 80), (42, 55, 60, 80)]
    pages = [drawing(100, 100, box, (0, 0, 0, 0), seed) for seed, box in enumerate(boxes)]
    trim, box, why = choose_trim(found(*pages))
    assert trim == "common"
    assert box == pytest.approx((0.4, 0.5, 0.7, 0.8), abs=0.001)
    assert why.endswith("30% of the frame's height and width")


def test_photos_are_not_trimmed(found):
    assert choose_trim(found(*(smooth(h, w, seed) for seed, (h, w) in enumerate(SHAPES))))[0] == "off"


def texture(seed, side=16, colours=5):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (colours, 3)).astype(np.uint8)[random.integers(0, colours, (side, side))]


def test_pixel_art_is_enlarged_by_nearest_neighbours_and_other_images_are_not(found):
    assert choose_resample(found(*(texture(seed) for seed in range(6))))[0] == "nearest"
    assert choose_resample(found(*(smooth(16, 16, seed) for seed in range(6))))[0] == "lanczos"


@pytest.mark.parametrize(("side", "size"), [(16, 16), (17, 20), (22, 24), (48, 48), (60, 64)])
def test_pixel_art_has_the_least_size_that_keeps_its_pixels(found, side, size):
    settings, whys = choose(found(*(texture(seed, side) for seed in range(4))), Data())
    assert (settings.size, settings.resample) == ((size, size), "nearest")
    assert "pixel art keeps its pixels" in whys["size"]


def test_what_the_recipe_says_is_not_chosen_again(found):
    asked = Data(size=32, channels=3, fit="stretch", trim="off", resample="lanczos", duplicates="drop")
    settings, whys = choose(found(texture(0)), asked)
    assert (settings.size, settings.channels, settings.policy, settings.trim) == ((32, 32), 3, "stretch", "off")
    assert (settings.resample, settings.duplicates, whys) == ("lanczos", "drop", {})


def test_gray_images_with_the_noise_of_jpeg_have_one_channel_and_it_is_said(found, encode):
    pages = []
    for seed in range(4):
        gray = smooth(48, 48, seed)[..., :1].astype(int)
        noise = np.random.default_rng(seed).integers(-2, 3, (48, 48, 3))
        pages.append(encode((gray + noise).clip(0, 255).astype(np.uint8)))
    channels, why = choose_channels(found(*pages))
    assert (channels, why) == (1, "every image is gray, 4 of them but for the noise of a camera, a scanner or JPEG")
    assert choose_channels(found(*pages, smooth(48, 48)))[0] == 3
