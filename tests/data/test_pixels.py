import pytest
import torch

from ganglion.data.pixels import to_float, to_uint8

ALL = torch.arange(256, dtype=torch.uint8)


def test_every_level_is_the_same_after_there_and_back():
    images = ALL.reshape(1, 16, 16, 1)
    assert torch.equal(to_uint8(to_float(images)), images)


def test_black_is_minus_one_and_white_is_one():
    ends = to_float(torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 2, 1))
    assert ends.flatten().tolist() == [-1, 1]


def test_levels_are_evenly_spaced():
    steps = to_float(ALL.reshape(1, 1, 256, 1)).flatten().double().diff()
    assert torch.allclose(steps, torch.full_like(steps, 2 / 255), atol=2e-7)  # float32 near 1 has steps of 1.2e-7


def test_channels_move_to_the_front_and_back():
    images = torch.arange(2 * 3 * 4 * 3, dtype=torch.uint8).reshape(2, 3, 4, 3)
    floats = to_float(images)
    assert floats.shape == (2, 3, 3, 4)
    assert floats[1, 2, 0, 3] == images[1, 0, 3, 2] / 127.5 - 1
    assert torch.equal(to_uint8(floats), images)


def test_floats_are_in_channels_last_memory_and_bytes_in_plain():
    images = torch.zeros(2, 4, 5, 3, dtype=torch.uint8)
    assert to_float(images).is_contiguous(memory_format=torch.channels_last)
    assert to_uint8(to_float(images)).is_contiguous()


def test_what_lies_outside_is_clipped_and_not_wrapped():
    beyond = torch.tensor([-9.0, -1.01, 1.01, 9.0]).reshape(1, 1, 1, 4)
    assert to_uint8(beyond).flatten().tolist() == [0, 0, 255, 255]


def test_the_pixels_given_are_not_changed():
    images = ALL.reshape(1, 16, 16, 1).clone()
    floats = to_float(images)
    before = floats.clone()
    to_uint8(floats)
    assert torch.equal(images.flatten(), ALL)
    assert torch.equal(floats, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_any_float_becomes_bytes_without_its_gradient(dtype):
    images = torch.zeros(1, 3, 2, 2, dtype=dtype, requires_grad=True)
    found = to_uint8(images)
    assert found.dtype == torch.uint8
    assert found.unique().tolist() == [128]  # 127.5 to the nearest even
    assert not found.requires_grad
