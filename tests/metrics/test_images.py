from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ganglion.data.prepare import prepare
from ganglion.errors import DataError
from ganglion.metrics.images import array_set, store_set
from ganglion.recipe.schema import Data
from ganglion.training.screen import Screen

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 16, 16, 3), np.uint8)


def test_equal_images_have_equal_content_and_one_changed_pixel_another():
    changed = PIXELS.copy()
    changed[3, 4, 5, 0] ^= 1
    assert array_set("a", PIXELS).content == array_set("b", PIXELS.copy()).content != array_set("a", changed).content


def test_the_same_bytes_in_another_shape_are_other_images():
    assert array_set("a", PIXELS).content != array_set("a", PIXELS.reshape(10, 8, 32, 3)).content


def test_a_part_is_a_set_of_its_own_with_its_labels(cache: Path):
    digits = store_set(prepare(Data(source="digits", size=(16, 16)), cache, Screen(quiet=True)))
    assert (digits.shape, len(digits.classes), len(digits)) == ((16, 16, 1), 10, 1797)
    chosen = np.array([5, 7, 100])
    part = digits.pick(chosen)
    assert np.array_equal(part.images, digits.images[chosen])
    assert part.labels is not None
    assert digits.labels is not None
    assert np.array_equal(part.labels, digits.labels[chosen])
    assert part.content != digits.content != digits.pick(np.array([5, 7, 101])).content


def test_a_part_knows_which_of_its_images_were_held_out():
    kept = np.arange(10) % 3 == 0
    part = replace(array_set("a", PIXELS), held_out=kept).pick(np.array([1, 3, 4, 9]))
    assert part.held_out is not None
    assert part.held_out.tolist() == [False, True, False, True]
    assert array_set("a", PIXELS).pick(np.array([1])).held_out is None


def test_how_images_were_made_to_fit_is_part_of_what_they_are(cache: Path):
    screen = Screen(quiet=True)
    small, large = (store_set(prepare(Data(source="digits", size=(s, s)), cache, screen)) for s in (16, 32))
    assert small.content != large.content
    assert "16x16" in small.resize


@pytest.mark.parametrize(
    "bad", [PIXELS[0], PIXELS.astype(float), np.zeros((2, 8, 8, 65), np.uint8), PIXELS[:0]]
)
def test_what_is_no_set_of_images_is_refused(bad):
    with pytest.raises(DataError, match=r"bad have to be uint8 \(N, H, W, C\)"):
        array_set("bad", bad)
