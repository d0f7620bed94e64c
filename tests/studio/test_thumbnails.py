from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from ganglion.studio.thumbnails import data_uri, figure, film_player, note, picks, row

ODD = '"><script>alert(1)</script>'


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "L"), (3, "RGB"), (4, "RGBA"), (6, "RGB")])
def test_pixels_are_unchanged_in_the_browser(channels: int, mode: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (24, 16, channels), np.uint8)
    image = opened(data_uri(pixels))
    assert image.mode == mode
    assert image.size == (16, 24)
    shown = pixels[..., 0] if mode == "L" else pixels[..., : len(mode)]
    assert (np.asarray(image) == shown).all()


def test_large_pictures_are_scaled_down_to_what_a_page_can_show() -> None:
    assert opened(data_uri(np.zeros((2000, 1000, 3), np.uint8))).size == (256, 512)


def test_no_text_is_markup() -> None:
    pixels = np.zeros((1, 8, 8, 3), np.uint8)
    parts = [
        figure(pixels[0], ODD, ODD), row(pixels, [ODD]), picks(pixels, [ODD], label=ODD), film_player(b"x", ODD, ODD),
        note(ODD),
    ]  # fmt: skip
    for html in parts:
        assert "<script" not in html
        assert "&lt;script&gt;" in html


def test_every_picture_has_a_description_and_every_pick_its_place() -> None:
    html = picks(np.zeros((3, 8, 8, 1), np.uint8), ["seed 1", "seed 2", "seed 3"])
    assert html.count('alt="seed') == 3
    assert [f'data-place="{place}"' in html for place in range(4)] == [True, True, True, False]


def test_nothing_said_is_nothing() -> None:
    assert note("") == ""
