from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganglion.augment import ada
from ganglion.augment.ada import augment, next_strength


def images(n: int = 16, channels: int = 3, size: tuple[int, int] = (16, 16)) -> Tensor:
    coarse = torch.rand(n, channels, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, size, mode="bilinear")


def dice(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def change(strength: float, **of: object) -> Tensor:
    x = images(**of)  # type: ignore[arg-type]
    return (augment(x, torch.tensor(strength), dice()) - x).abs().mean((1, 2, 3))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 13])
@pytest.mark.parametrize("size", [(16, 16), (16, 32)])
def test_strength_0_changes_nothing_and_1_changes_every_image(channels: int, size: tuple[int, int]) -> None:
    assert float(change(0.0, channels=channels, size=size).max()) < 1e-5
    assert float(change(1.0, channels=channels, size=size).min()) > 0.01


def test_the_stronger_the_more_images_change() -> None:
    changed = [float((change(p, n=300) > 1e-4).float().mean()) for p in (0.05, 0.2, 0.5)]
    assert changed == sorted(changed)
    # of 14 changes each is made with probability p; some draws of one, such as no quarter turn, change nothing
    assert 0.3 < changed[0] < 1 - 0.95**14 + 0.08  # nearly three standard deviations of 300 images
    assert changed[2] > 0.95
    means = [float(change(p, n=300).mean()) for p in (0, 0.05, 0.2, 0.5, 1)]
    assert means == sorted(means)


def test_it_is_differentiable_in_its_images() -> None:
    x = images(2).requires_grad_()
    augment(x, torch.tensor(0.8), dice()).square().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert (x.grad.abs().sum((1, 2, 3)) > 0).all()


def test_its_gradient_passes_gradcheck() -> None:
    x = images(3, size=(4, 4)).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda y: augment(y, torch.tensor(0.8), dice()), (x,))


def test_alpha_moves_with_the_image_but_keeps_its_values() -> None:
    x = torch.cat([images(50), torch.ones(50, 1, 16, 16)], 1)
    assert torch.allclose(augment(x, torch.tensor(1.0), dice())[:, 3], torch.ones(50, 16, 16), atol=1e-5)


def test_a_gray_image_changes_as_the_same_one_in_three_equal_channels() -> None:
    gray, strength = images(30, 1), torch.tensor(1.0)
    colored = augment(gray.expand(-1, 3, -1, -1), strength, dice())
    assert torch.allclose(augment(gray, strength, dice()).expand(-1, 3, -1, -1), colored, atol=1e-4)


@pytest.mark.parametrize("channels", [2, 5, 13])
def test_each_of_many_channels_changes_as_a_gray_image_does(channels: int) -> None:
    x, strength = images(30, channels), torch.tensor(1.0)
    alone = torch.cat([augment(x[:, c : c + 1], strength, dice()) for c in range(channels)], 1)
    assert torch.allclose(augment(x, strength, dice()), alone, atol=1e-5)


def draw(n: int = 4, strength: float = 1.0) -> ada.Draw:
    return ada.Draw(n, torch.tensor(strength), dice(), torch.device("cpu"))


def resampled(x: Tensor, matrix: Tensor) -> Tensor:
    grid = torch.nn.functional.affine_grid(matrix[:, :2], list(x.shape), align_corners=False)
    return torch.nn.functional.grid_sample(x, grid, align_corners=False, padding_mode="reflection")


def test_a_quarter_turn_is_torchs_rot90() -> None:
    x = images(4)
    turned = resampled(x, ada._turned(draw(), torch.full((4,), torch.pi / 2), 1.0))
    expected = [torch.rot90(x, k, (2, 3)) for k in (1, -1)]
    assert any(torch.allclose(turned, one, atol=1e-4) for one in expected)


def test_a_turn_by_180_degrees_of_an_oblong_image_mirrors_both_sides() -> None:
    x = images(4, size=(16, 32))
    turned = resampled(x, ada._turned(draw(), torch.full((4,), torch.pi), 0.5))
    assert torch.allclose(turned, x.flip(2, 3), atol=1e-4)


def test_a_turn_keeps_distances_in_pixels_on_an_oblong_image() -> None:
    aspect = 0.5  # 16 x 32: coordinates in [-1, 1] are half as many pixels upwards as sideways
    matrix = ada._turned(draw(1), torch.tensor([0.7]), aspect)[0, :2, :2]
    pixels = torch.diag(torch.tensor([16.0, 8.0]))  # half of width and height: from coordinates to pixels
    in_pixels = pixels @ matrix @ torch.linalg.inv(pixels)
    assert torch.allclose(in_pixels @ in_pixels.T, torch.eye(2), atol=1e-5)


def test_a_translation_is_a_share_of_a_side() -> None:
    x = images(1, size=(16, 16))
    moved = resampled(x, ada._moved(draw(1), torch.tensor([0.25]), torch.tensor([0.0])))
    assert torch.allclose(moved[..., 4:], x[..., :-4], atol=1e-5)


def test_a_hue_turns_colours_about_gray() -> None:
    matrix = ada._about_gray(torch.tensor([0.0, 1.0, 2 * torch.pi / 3]))
    gray = torch.ones(3)
    assert torch.allclose(matrix @ gray, gray.expand(3, 3), atol=1e-6)
    assert torch.allclose(matrix @ matrix.transpose(1, 2), torch.eye(3).expand(3, 3, 3), atol=1e-6)
    assert torch.allclose(matrix[0], torch.eye(3), atol=1e-6)
    assert torch.allclose(matrix[2] @ torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0]), atol=1e-5)  # red to green


@pytest.mark.parametrize(("sign", "expected"), [(0.9, 0.51), (0.1, 0.49), (0.6, 0.5)])
def test_the_strength_goes_up_while_d_is_too_sure_of_reals_and_down_while_it_is_not(
    sign: float, expected: float
) -> None:
    moved = next_strength(torch.tensor(0.5), torch.tensor(sign), 0.6, images=1000, speed_kimg=100)
    assert float(moved) == pytest.approx(expected)


def test_the_strength_takes_speed_kimg_from_0_to_1_and_stays_in_between() -> None:
    strength, sure = torch.tensor(0.0), torch.tensor(1.0)
    for _ in range(99):
        strength = next_strength(strength, sure, 0.6, images=1000, speed_kimg=100)
    assert float(strength) == pytest.approx(0.99)
    for _ in range(3):
        strength = next_strength(strength, sure, 0.6, images=1000, speed_kimg=100)
    assert float(strength) == 1
    assert float(next_strength(torch.tensor(0.001), -sure, 0.6, 1000, 100)) == 0


# Each change alone

FLIP, QUARTER, SHIFT_X, SHIFT_Y, SCALE, STRETCH, TURN, LAST_X, LAST_Y = range(9)
BRIGHTNESS, CONTRAST, SATURATION, HUE, LUMA = range(5)
MANY = 3000
"""Draws, so that a deviation is measured to 2 % or better."""


class Only(ada.Draw):
    """Makes the changes of these numbers, in the order in which they are drawn, and no other."""

    def __init__(self, *wanted: int, n: int = MANY) -> None:
        super().__init__(n, torch.tensor(1.0), dice(), torch.device("cpu"))
        self.wanted, self.asked = wanted, -1

    def sometimes(self, value: Tensor, otherwise: float) -> Tensor:
        self.asked += 1
        return value if self.asked in self.wanted else torch.full_like(value, otherwise)


def test_with_no_change_made_places_and_colours_stay() -> None:
    assert torch.allclose(ada._geometry(Only(n=2), 16, 32), torch.eye(3).expand(2, 3, 3))
    assert torch.allclose(ada._colors(Only(n=2)), torch.eye(3, 4).expand(2, 3, 4), atol=1e-6)


def test_a_flip_mirrors_half_of_the_images_left_to_right() -> None:
    maps = ada._geometry(Only(FLIP), 16, 16)
    x = maps[:, 0, 0]
    assert torch.equal(maps, torch.diag_embed(torch.stack([x, torch.ones(MANY), torch.ones(MANY)], 1)))
    assert set(x.tolist()) == {-1.0, 1.0}
    assert float(x.mean()) == pytest.approx(0, abs=0.06)


def test_quarter_turns_are_torchs_rot90_by_each_of_four_angles() -> None:
    x = images(40)
    turned = resampled(x, ada._geometry(Only(QUARTER, n=40), 16, 16))
    found = [
        [k for k in range(4) if torch.allclose(after, torch.rot90(before, k, (1, 2)), atol=1e-4)]
        for before, after in zip(x, turned, strict=True)
    ]
    assert all(len(ks) == 1 for ks in found)
    assert {k for (k,) in found} == {0, 1, 2, 3}


@pytest.mark.parametrize(("change", "place"), [(SHIFT_X, 0), (SHIFT_Y, 1), (LAST_X, 0), (LAST_Y, 1)])
def test_a_translation_moves_along_its_axis_as_far_as_the_paper_says(change: int, place: int) -> None:
    maps = ada._geometry(Only(change), 64, 64)
    sides = maps[:, place, 2] / 2  # a side is 2 long
    deviation = 0.125 if change in (LAST_X, LAST_Y) else 0.125 / 3**0.5  # normal; uniform up to an eighth
    assert float(sides.std()) == pytest.approx(deviation, rel=0.05)
    assert float(sides.mean()) == pytest.approx(0, abs=0.01)
    maps[:, place, 2] = 0
    assert torch.equal(maps, torch.eye(3).expand(MANY, 3, 3))


def test_the_first_translation_is_by_whole_pixels_and_takes_no_sharpness() -> None:
    maps = ada._geometry(Only(SHIFT_X, SHIFT_Y), 16, 24)
    for place, side in ((0, 24), (1, 16)):
        pixels = maps[:, place, 2] / 2 * side
        assert torch.allclose(pixels, pixels.round(), atol=1e-5)
        assert set(pixels.round().int().tolist()) == set(range(-side // 8, side // 8 + 1))
    dots = torch.randn(40, 1, 16, 24, generator=torch.Generator().manual_seed(0)).sign()
    after = resampled(dots, ada._geometry(Only(SHIFT_X, SHIFT_Y, n=40), 16, 24))
    assert torch.allclose(after.abs(), torch.ones(()), atol=1e-4)  # between two pixels it would be a mixture


@pytest.mark.parametrize(("change", "area"), [(SCALE, 2), (STRETCH, 0)])
def test_a_scaling_keeps_the_shape_and_a_stretch_keeps_the_area(change: int, area: int) -> None:
    maps = ada._geometry(Only(change), 64, 64)
    x, y = maps[:, 0, 0].log2(), maps[:, 1, 1].log2()
    assert float(x.std()) == pytest.approx(0.2, rel=0.05)
    assert torch.allclose(x + y, area * x, atol=1e-5)
    assert torch.equal(maps, torch.diag_embed(maps.diagonal(dim1=1, dim2=2)))


def test_a_turn_goes_by_any_angle_and_is_one_in_pixels() -> None:
    pixels = torch.diag(torch.tensor([2.0, 1.0]))  # an image twice as wide as high
    turns = pixels @ ada._geometry(Only(TURN), 16, 32)[:, :2, :2] @ torch.linalg.inv(pixels)
    assert torch.allclose(turns @ turns.transpose(1, 2), torch.eye(2).expand(MANY, 2, 2), atol=1e-5)
    assert torch.allclose(torch.linalg.det(turns), torch.ones(MANY), atol=1e-5)
    angles = torch.atan2(turns[:, 1, 0], turns[:, 0, 0])
    assert float(angles.std()) == pytest.approx(torch.pi / 3**0.5, rel=0.03)  # uniform on the circle


def test_a_map_of_colours_has_the_papers_deviations() -> None:
    by = {change: ada._colors(Only(change)) for change in (BRIGHTNESS, CONTRAST, SATURATION, HUE)}
    identity = torch.eye(3).expand(MANY, 3, 3)
    assert torch.allclose(by[BRIGHTNESS][..., :3], identity, atol=1e-6)
    assert float(by[BRIGHTNESS][:, 0, 3].std()) == pytest.approx(0.2, rel=0.05)
    factor = by[CONTRAST][:, 0, 0]
    assert torch.allclose(by[CONTRAST][..., :3], identity * factor[:, None, None], atol=1e-5)
    assert float(factor.log2().std()) == pytest.approx(0.5, rel=0.05)
    trace = {change: by[change].diagonal(dim1=1, dim2=2).sum(1) for change in (SATURATION, HUE)}
    assert float(((trace[SATURATION] - 1) / 2).log2().std()) == pytest.approx(1.0, rel=0.05)  # 1 along gray, s across
    assert float(((trace[HUE] - 1) / 2).mean()) == pytest.approx(0, abs=0.05)  # the cosine of any angle
    for change in (CONTRAST, SATURATION, HUE):
        assert not by[change][..., 3].any()  # black of [-1, 1] stays where it is, but for brightness


def test_a_luma_flip_makes_half_of_the_images_their_negatives_in_light_and_keeps_their_colours() -> None:
    maps = ada._colors(Only(LUMA))[..., :3]
    gray, colour = torch.ones(3), torch.tensor([1.0, -1.0, 0.0])
    signs = (maps @ gray)[:, 0]
    assert torch.allclose(signs.abs(), torch.ones(MANY), atol=1e-5)
    assert float(signs.mean()) == pytest.approx(0, abs=0.06)
    assert torch.allclose(maps @ gray, signs[:, None].expand(-1, 3), atol=1e-5)
    assert torch.allclose(maps @ colour, colour.expand(MANY, 3), atol=1e-5)
