"""Arrays of images: the axis of the channels, and the range of values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.data.array_layout import as_uint8, channel_axis, channels_last, infer_range, is_uint8
from ganglion.errors import DataError


@given(st.integers(1, 64), st.integers(65, 300), st.integers(65, 300))
def test_sides_of_more_than_64_pixels_leave_no_doubt(channels: int, height: int, width: int) -> None:
    assert channel_axis((height, width, channels)) == 2
    assert channel_axis((channels, height, width)) == 0


@given(st.sampled_from([1, 3, 4]), st.integers(5, 300), st.integers(5, 300))
def test_the_usual_numbers_of_channels_are_found_in_small_images(channels: int, height: int, width: int) -> None:
    assert channel_axis((height, width, channels)) == 2
    assert channel_axis((channels, height, width)) == 0


@given(st.tuples(*[st.integers(1, 80)] * 3))
def test_no_order_is_preferred(shape: tuple[int, int, int]) -> None:
    assert channel_axis(shape[::-1]) == {0: 2, 2: 0, None: None}[channel_axis(shape)]


@given(st.integers(1, 64), st.integers(5, 80), st.integers(5, 80))
def test_a_stated_number_of_channels_settles_every_shape(channels: int, height: int, width: int) -> None:
    assert channel_axis((height, width, channels), channels) == 2
    if channels != width:
        assert channel_axis((channels, height, width), channels) == 0


@pytest.mark.parametrize("shape", [(16, 16, 16), (8, 8, 8), (3, 8, 3), (4, 4, 3), (8, 8, 64), (70, 80, 66)])
def test_a_shape_that_can_be_read_in_two_ways_or_in_none_is_not_guessed(shape: tuple[int, int, int]) -> None:
    assert channel_axis(shape) is None
    with pytest.raises(DataError, match=r"pile has the shape .*ambiguous.*transpose\(0, 2, 3, 1\).*data.channels"):
        channels_last(np.zeros((2, *shape), np.uint8), "pile")


def test_channels_first_become_last_without_a_copy() -> None:
    images = np.arange(2 * 5 * 8 * 9, dtype=np.uint16).reshape(2, 5, 8, 9).astype(np.uint8)
    found = channels_last(images, "pile")
    assert found.shape == (2, 8, 9, 5)
    assert np.shares_memory(found, images)
    np.testing.assert_array_equal(found[1, :, :, 3], images[1, 3])


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0, 1, (0, 1)),
        (0.2, 0.4, (0, 1)),
        (-1, 1, (-1, 1)),
        (-0.1, 0.2, (-1, 1)),
        (0, 255, (0, 255)),
        (0, 1.5, (0, 255)),
    ],
)
def test_the_range_is_the_narrowest_that_holds_the_values(low: float, high: float, found: tuple[float, float]) -> None:
    assert infer_range(low, high, "pile") == found


@pytest.mark.parametrize(("low", "high"), [(-1.5, 1), (-1, 2), (0, 300), (-128, 127)])
def test_values_outside_every_range_are_refused(low: float, high: float) -> None:
    with pytest.raises(DataError, match=r"pile has values from .* to .*; floats are images in"):
        infer_range(low, high, "pile")


@given(st.integers(0, 255), st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)]))
def test_levels_come_back_from_every_range(level: int, ends: tuple[float, float]) -> None:
    black, white = ends
    value = np.full((2, 2), black + (white - black) * level / 255, np.float32)
    assert (as_uint8(value, black, white) == level).all()


@pytest.mark.parametrize("kind", [np.uint16, np.int64, bool, object])
def test_numbers_that_are_neither_bytes_nor_floats_are_refused(kind: type) -> None:
    with pytest.raises(DataError, match=r"pile holds .*; images are uint8, or floats"):
        is_uint8(np.dtype(kind), "pile")
