from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ganglion.augment.diffaugment import STEPS, color, cutout, translation


def images(n: int = 8, channels: int = 3, size: tuple[int, int] = (16, 24)) -> Tensor:
    return torch.rand(n, channels, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


def dice(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 13])
def test_shape_stays_and_equal_numbers_give_equal_images(step: str, channels: int) -> None:
    x = images(channels=channels)
    first, again, other = (STEPS[step](x, dice(seed)) for seed in (1, 1, 2))
    assert first.shape == x.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, x)


@pytest.mark.parametrize("step", STEPS)
def test_it_is_differentiable(step: str) -> None:
    x = images(2, 3, (16, 16))[:, :, :4, :4].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda y: STEPS[step](y, dice()), (x,))


def test_color_stays_within_its_bounds_and_leaves_alpha() -> None:
    x = torch.zeros(500, 4, 4, 4)
    out = color(x, dice())
    assert torch.equal(out[:, 3:], x[:, 3:])
    brightness = out[:, :3].mean((1, 2, 3))
    assert -0.5 <= float(brightness.min()) < -0.45  # a gray image changes by the brightness alone
    assert 0.45 < float(brightness.max()) <= 0.5


def test_color_spreads_colours_from_their_gray_and_pixels_from_their_mean() -> None:
    x = images(1000, 3, (4, 4))
    out = color(x, dice())
    spread = [(y - y.mean(1, keepdim=True)).flatten(1).norm(dim=1) for y in (x, out)]
    chroma = spread[1] / spread[0]
    luma_in, luma_out = x.mean(1), out.mean(1)
    contrast = luma_out.std((1, 2)) / luma_in.std((1, 2))
    assert float(contrast.min()) == pytest.approx(0.5, abs=0.02)
    assert float(contrast.max()) == pytest.approx(1.5, abs=0.02)
    assert float((chroma / contrast).max()) == pytest.approx(2, abs=0.02)  # saturation in [0, 2)
    assert float((chroma / contrast).min()) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("channels", [2, 5, 13])
def test_of_many_channels_only_brightness_and_contrast_change_and_of_all_alike(channels: int) -> None:
    x = images(50, channels, (4, 4))
    out = color(x, dice())
    scale = out.flatten(1).std(1) / x.flatten(1).std(1)
    assert 0.5 <= float(scale.min()) < float(scale.max()) < 1.5
    centred = [y - y.mean((1, 2, 3), keepdim=True) for y in (x, out)]
    torch.testing.assert_close(centred[1], centred[0] * scale[:, None, None, None])


def test_translation_moves_by_up_to_an_eighth_and_fills_with_black() -> None:
    x = images(200, 1, (16, 24))
    out, seen = translation(x, dice()), set()
    for before, after in zip(x[:, 0].numpy(), out[:, 0].numpy(), strict=True):
        padded = np.pad(before, ((2, 2), (3, 3)), constant_values=-1)
        found = [(r, c) for r in range(5) for c in range(7) if np.array_equal(padded[r : r + 16, c : c + 24], after)]
        assert len(found) == 1
        seen |= set(found)
    assert {r for r, _ in seen} == set(range(5))
    assert {c for _, c in seen} == set(range(7))


def test_cutout_blanks_a_rectangle_of_half_the_sides_that_may_leave_the_image() -> None:
    x = torch.ones(400, 1, 16, 24)
    holes = (cutout(x, dice())[:, 0] == 0).numpy()
    areas = holes.sum((1, 2))
    assert areas.max() == 8 * 12
    assert areas.min() >= 4 * 6  # its centre lies within the image
    for hole in holes[:20]:
        rows, columns = np.where(hole.any(1))[0], np.where(hole.any(0))[0]
        assert hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert holes.any(0).all()  # anywhere


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_color_is_brightness_then_saturation_then_contrast_as_the_authors_write_them(channels: int) -> None:
    images = torch.randn(5, channels, 6, 8, dtype=torch.float64)
    random = dice(3)
    by, saturation, contrast = (torch.rand((5, 1, 1, 1), generator=random) for _ in range(3))
    colours, alpha = (images[:, :3], images[:, 3:]) if channels >= 3 else (images, images[:, :0])
    colours = colours + (by - 0.5)
    if channels >= 3:
        gray = colours.mean(1, keepdim=True)
        colours = (colours - gray) * (2 * saturation) + gray
    mean = colours.mean((1, 2, 3), keepdim=True)
    colours = (colours - mean) * (contrast + 0.5) + mean
    found = color(images, dice(3))
    torch.testing.assert_close(found, torch.cat([colours, alpha], 1))


@pytest.mark.parametrize("step", STEPS)
def test_the_memory_layout_of_images_is_kept(step: str) -> None:
    images = torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last)
    shown = STEPS[step](images, dice())
    assert shown.is_contiguous(memory_format=torch.channels_last)
