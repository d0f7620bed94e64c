from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn.functional import avg_pool2d

from ganglion.data.pixels import to_float
from ganglion.metrics.features import array_set
from ganglion.metrics.sliced_wasserstein import (
    SCALE,
    SlicedWasserstein,
    _directions,
    _projections,
    _pyramid,
    sliced_wasserstein,
)


def pictures(n: int = 24, seed: int = 0, channels: int = 3, size: tuple[int, int] = (32, 32)) -> torch.Tensor:
    """Sums of a few waves, in [-0.8, 0.8]."""
    random = torch.Generator().manual_seed(seed)
    rows, columns = torch.meshgrid(*(torch.arange(side) / 32 for side in size), indexing="ij")
    frequency, phase = torch.rand(2, n, channels, 1, 1, 2, generator=random) * 12
    waves = torch.sin(frequency[..., 0] * rows + phase[..., 0]) + torch.sin(frequency[..., 1] * columns + phase[..., 1])
    return waves * 0.4


def distance(real: torch.Tensor, fake: torch.Tensor, seed: int = 0) -> float:
    return sliced_wasserstein(real, fake, np.random.default_rng(seed))


def brighter(images: torch.Tensor, strength: int) -> torch.Tensor:
    return images + 0.1 * strength


def noisier(images: torch.Tensor, strength: int) -> torch.Tensor:
    return images + 0.1 * strength * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))


def flatter(images: torch.Tensor, strength: int) -> torch.Tensor:
    return images * (1 - 0.2 * strength)


def blurrier(images: torch.Tensor, strength: int) -> torch.Tensor:
    for _ in range(2 * strength):
        images = avg_pool2d(images, 3, 1, 1, count_include_pad=False)
    return images


def along(real: torch.Tensor, fake: torch.Tensor, directions: int, random: np.random.Generator) -> float:
    """Mean distance of two sets of rows along random directions."""
    slices = _directions(real.shape[1], directions, random)
    return float((_projections(real, slices) - _projections(fake, slices)).abs().mean())


def test_one_set_against_several_gives_the_distances_of_pairs():
    one, *others = (pictures(20, seed=seed) for seed in range(3))
    measured = SlicedWasserstein(one, np.random.default_rng(0))
    assert [measured.to(other) for other in others] == [distance(one, other) for other in others]
    with pytest.raises(ValueError, match="two sets of one shape"):
        measured.to(others[0][:5])


@pytest.mark.parametrize("size", [(16, 16), (28, 28), (32, 32), (48, 32), (64, 64)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_equal_sets_are_at_distance_0(size, channels):
    images = pictures(4, channels=channels, size=size)
    assert distance(images, images.clone()) == 0


@pytest.mark.parametrize("worse", [brighter, noisier, flatter, blurrier])
def test_the_distance_grows_with_the_strength_of_a_change(worse):
    images = pictures()
    found = [distance(images, worse(images, strength)) for strength in range(5)]
    assert all(b > 1.1 * a for a, b in pairwise(found))


@pytest.mark.parametrize("worse", [brighter, noisier, flatter, blurrier])
def test_a_change_weighs_more_than_other_pictures_of_the_same_kind(worse):
    one, other = pictures(200, channels=1), pictures(200, seed=1, channels=1)
    assert distance(one, worse(other, 4)) > 2 * distance(one, other)


def test_other_pictures_of_the_same_kind_are_the_nearer_the_more_there_are():
    found = [distance(pictures(n, channels=1), pictures(n, seed=1, channels=1)) for n in (8, 64, 512)]
    assert all(b < 0.7 * a for a, b in pairwise(found))


def test_two_sets_of_one_kind_are_as_far_from_the_first_as_from_the_second():
    """Normalised by the real set, the distance is not symmetric in itself; where both have one law it has to be."""
    one, other = pictures(60, channels=1), pictures(60, seed=1, channels=1)
    there = np.mean([distance(one, other, seed) for seed in range(5)])
    back = np.mean([distance(other, one, seed) for seed in range(5)])
    assert there == pytest.approx(back, rel=0.1)


def test_one_missing_colour_is_seen():
    images = pictures()
    gray = images.mean(dim=1, keepdim=True).expand_as(images)
    assert distance(images, gray) > 100


def test_an_equal_generator_of_random_numbers_gives_an_equal_value_and_another_a_near_one():
    real, fake = pictures(), noisier(pictures(seed=1), 2)
    assert distance(real, fake, 0) == distance(real, fake, 0)
    assert distance(real, fake, 0) != distance(real, fake, 1)
    assert distance(real, fake, 0) == pytest.approx(distance(real, fake, 1), rel=0.2)


@pytest.mark.parametrize("seed", range(5))
def test_along_one_direction_it_is_the_one_dimensional_distance_of_scipy(seed):
    real, fake = torch.randn(2, 50, 6, generator=torch.Generator().manual_seed(seed))
    direction = np.random.default_rng(seed).standard_normal((6, 1), np.float32).astype(np.float64)
    direction /= np.linalg.norm(direction)
    on = [(points.double().numpy() @ direction).ravel() for points in (real, fake)]
    found = along(real, fake, 1, np.random.default_rng(seed))
    assert found == pytest.approx(stats.wasserstein_distance(*on), rel=1e-5)  # float32 beside float64


def test_a_shift_in_one_dimension_is_its_own_distance():
    points = torch.randn(50, 1, generator=torch.Generator().manual_seed(0))
    assert along(points, points + 3, 16, np.random.default_rng(0)) == pytest.approx(3, rel=1e-6)


def test_a_uniform_shift_of_smallest_images_has_the_closed_form():
    """At 8x8 there is one level; a shift s moves every projection by s / deviation times the direction's sum."""
    images = torch.randn(32, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = sliced_wasserstein(images, images + 0.5, np.random.default_rng(0), directions=4000)
    # the sum of a random unit vector in 49 dimensions has the mean absolute value sqrt(2 / pi), within 1%
    assert found == pytest.approx(SCALE * 0.5 * (2 / np.pi) ** 0.5, rel=0.05)


@pytest.mark.parametrize(
    ("size", "sides"),
    [((64, 64), [64, 32, 16, 8]), ((28, 28), [28, 14]), ((48, 32), [48, 24, 12]), ((20, 20), [20, 10])],
)
def test_the_pyramid_halves_down_to_its_smallest_level(size, sides):
    assert [level.shape[2] for level in _pyramid(torch.zeros(1, 1, *size))] == sides


def test_the_details_of_a_flat_picture_are_0_and_what_remains_is_its_brightness():
    *details, rest = _pyramid(torch.full((1, 3, 32, 32), 0.25))
    assert all((level == 0).all() for level in details)
    assert (rest == 0.25).all()


def test_a_ramp_has_no_details_but_at_its_border():
    """Halving and linear interpolation give a linear picture back; copying pixels would leave steps."""
    ramp = torch.linspace(-1, 1, 32).view(1, 1, 1, 32).expand(1, 1, 32, 32)
    details, _ = _pyramid(ramp)[:2]
    assert details[..., 1:-1].abs().max() < 1e-6
    assert details[..., 0].abs().min() > 0.01


def test_a_set_of_one_colour_gives_a_finite_distance():
    flat = torch.zeros(8, 3, 16, 16)
    assert distance(flat, flat) == 0
    assert np.isfinite(distance(pictures(8, size=(16, 16)), flat))


@pytest.mark.parametrize("shape", [(4, 3, 16, 16), (8, 1, 16, 16), (8, 3, 32, 16)])
def test_sets_of_different_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="expected two sets of one shape"):
        distance(torch.zeros(8, 3, 16, 16), torch.zeros(shape))


@pytest.mark.parametrize("numbers", [1, 16 * 24 * 3 * 5])
def test_it_is_the_same_in_chunks_and_of_a_set_of_images(monkeypatch: pytest.MonkeyPatch, numbers: int):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 12, 16, 24, 3), np.uint8)
    real, fake = (to_float(torch.from_numpy(images)) for images in pixels)
    whole = distance(real, fake)
    monkeypatch.setattr("ganglion.metrics.sliced_wasserstein.NUMBERS_IN_CHUNK", numbers)
    assert distance(real, fake) == pytest.approx(whole, rel=1e-5)
    sets = [array_set("made", images) for images in pixels]
    assert sliced_wasserstein(*sets, np.random.default_rng(0)) == pytest.approx(whole, rel=1e-5)


def test_images_smaller_than_a_patch_are_refused():
    with pytest.raises(ValueError, match="7x7 pixels; a side is 6"):
        distance(torch.zeros(4, 1, 6, 9), torch.zeros(4, 1, 6, 9))


def test_neither_set_is_changed():
    real, fake = pictures(), pictures(seed=1)
    before = real.clone(), fake.clone()
    distance(real, fake)
    assert torch.equal(real, before[0])
    assert torch.equal(fake, before[1])
