import numpy as np
import pytest
from PIL import Image

from ganglion.data.alpha import premultiplied, straight
from ganglion.data.fit import Fit, fit

LEVELS = np.arange(256, dtype=np.uint8)


def every_pair():
    """(256, 256, 4): each colour under each alpha; the colour is that of all three channels."""
    page = np.zeros((256, 256, 4), np.uint8)
    page[..., :3], page[..., 3] = LEVELS[:, None, None], LEVELS
    return page


def test_colours_are_multiplied_by_alpha_to_the_nearest_level():
    page = every_pair().astype(np.float64)
    wanted = np.round(page[..., :3] * page[..., 3:] / 255)  # no tie: 255 is odd
    assert np.array_equal(premultiplied(every_pair())[..., :3], wanted)
    assert np.array_equal(premultiplied(every_pair())[..., 3], every_pair()[..., 3])


def test_pillow_premultiplies_to_the_same_levels():
    """Pillow does it where images are resized, `premultiplied` where they come as arrays."""
    assert np.array_equal(np.asarray(Image.fromarray(every_pair()).convert("RGBa")), premultiplied(every_pair()))


def test_straight_inside_straight_is_exact_within_the_rounding_where_alpha_is_above_0():
    page = every_pair()
    back = straight(premultiplied(page)).astype(float)
    alpha = page[..., 3:].astype(float)
    error = np.abs(back - page)[..., :3]
    assert (error <= 255 / np.maximum(alpha, 1) / 2 + 0.5)[:, 1:].all()
    assert not error[:, 255].any()
    assert not back[:, 0].any()  # what lies under a transparent pixel is gone


def test_inside_straight_inside_is_exact():
    inside = premultiplied(every_pair())
    assert np.array_equal(premultiplied(straight(inside)), inside)


def test_colours_that_a_network_draws_above_alpha_are_cut_to_it():
    assert straight(np.array([[200, 100, 50, 100], [9, 9, 9, 0]], np.uint8)).tolist() == [
        [255, 255, 128, 100],
        [0, 0, 0, 0],
    ]


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_images_without_alpha_are_handed_through(channels):
    page = np.zeros((2, 3, 3, channels), np.uint8)
    assert premultiplied(page) is page
    assert straight(page) is page


def test_what_is_given_is_not_changed():
    page = every_pair()
    premultiplied(page)
    straight(page)
    assert np.array_equal(page, every_pair())


@pytest.mark.parametrize("policy", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [(8, 8), (16, 24), (5, 3)])
def test_hidden_colours_reach_no_pixel_of_a_resized_image(policy, size):
    disc = np.zeros((16, 24, 4), np.uint8)
    disc[4:12, 6:18] = 200, 30, 60, 255
    red, green = disc.copy(), disc.copy()
    red[disc[..., 3] == 0], green[disc[..., 3] == 0] = (255, 0, 0, 0), (0, 255, 0, 0)
    found = [fit(Image.fromarray(page), Fit(size, 4, policy)) for page in (disc, red, green)]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    assert (found[0][..., :3] <= found[0][..., 3:]).all()
    shown = straight(found[0])[found[0][..., 3] > 127]  # the edge keeps its colour, but that Lanczos overshoots
    assert (shown[:, :3] > (150, 0, 10)).all()
    assert (shown[:, :3] < (256, 60, 110)).all()


def test_arrays_in_any_order_of_memory_are_converted():
    page = every_pair()
    turned = np.ascontiguousarray(np.moveaxis(page, -1, 0))  # channels first
    assert np.array_equal(premultiplied(np.moveaxis(turned, 0, -1)), premultiplied(page))
    assert np.array_equal(straight(np.asfortranarray(premultiplied(page))), straight(premultiplied(page)))
