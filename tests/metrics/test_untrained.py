"""The score of snapshots."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from ganglion.metrics.distances import frechet_distance, moments
from ganglion.metrics.untrained import SnapshotScore, pixel_extractor, random_extractor, scored_images

CPU = torch.device("cpu")


def blots(n: int, seed: int, blur: float = 1.0) -> torch.Tensor:
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:16, :16] / 16
    y, x = random.uniform(0.3, 0.7, (2, n, 1, 1))
    images = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (0.03 * blur))
    return torch.from_numpy(2 * images[:, None] - 1).float()


@pytest.mark.parametrize(("channels", "size"), [(1, (8, 8)), (3, (32, 32)), (4, (64, 96)), (1, (128, 16))])
def test_any_channels_and_size_give_finite_features(channels, size):
    features = random_extractor(channels, CPU).embed(torch.rand(3, channels, *size) * 2 - 1).features
    assert features.ndim == 2
    assert bool(features.isfinite().all())


def test_it_is_the_same_network_every_time_and_the_global_generator_is_left_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = random_extractor(3, CPU)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(4)
    assert random_extractor(3, CPU).hash == first.hash != random_extractor(1, CPU).hash


def test_its_numbers_are_pinned_so_that_scores_of_different_versions_compare():
    image = torch.linspace(-1, 1, 3 * 16 * 16).view(1, 3, 16, 16)
    features = random_extractor(3, CPU).embed(image).features[0]
    assert features[:4].tolist() == pytest.approx([1.2847103, 0.0200227, 0.2037299, 0.0], rel=1e-4, abs=1e-6)


def test_the_further_from_the_data_the_larger_the_distance():
    look = random_extractor(1, CPU).embed
    real = moments(look(blots(600, 0)).features.numpy())
    distances = [frechet_distance(real, moments(look(blots(600, 1, blur)).features.numpy())) for blur in (1, 1.5, 2.5)]
    assert all(b > 1.2 * a for a, b in pairwise(distances))


LOOK = pixel_extractor(torch.device("cpu")).embed


def test_a_feature_is_the_mean_colour_of_an_area():
    images = torch.zeros(2, 3, 16, 24)
    images[1, 2, :2, :3] = 1  # the first area of 2x3 pixels
    features = LOOK(images).features
    assert features.shape == (2, 3 * 64)
    assert features[1].nonzero().flatten().tolist() == [2 * 64]
    assert features[1, 2 * 64] == 1


@pytest.mark.parametrize(("size", "width"), [((4, 6), 24), ((8, 8), 64), ((5, 20), 40)])
def test_small_images_have_as_many_features_as_pixels_at_most(size, width):
    assert LOOK(torch.rand(3, 1, *size)).features.shape == (3, width)


def test_it_knows_no_classes():
    assert LOOK(torch.rand(3, 1, 8, 8)).probabilities is None


N = 256


def pictures(seed: int, n: int = N) -> Tensor:
    """Discs of random place, size and colour (N, 3, 16, 16) in [-1, 1]."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16]
    middle, radius = random.uniform(4, 12, (n, 2, 1, 1)), random.uniform(2, 5, (n, 1, 1))
    inside = (y - middle[:, 0]) ** 2 + (x - middle[:, 1]) ** 2 < radius**2
    colour = random.uniform(-0.5, 1, (n, 3, 1, 1))
    return torch.from_numpy(np.where(inside[:, None], colour, -1.0)).float()


def noisy(images: Tensor, strength: float) -> Tensor:
    return images + strength * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))


def chunks(images: Tensor, size: int = 64) -> list[Tensor]:
    return list(images.split(size))


def test_it_is_the_frechet_distance_of_random_features_however_the_images_are_cut() -> None:
    real, fake = pictures(0), pictures(1)
    extractor = random_extractor(3, torch.device("cpu"))
    expected = frechet_distance(*(moments(extractor.embed(images).features.numpy()) for images in (real, fake)))
    assert SnapshotScore(chunks(real)).of(chunks(fake)) == pytest.approx(expected, rel=1e-4)
    assert SnapshotScore(chunks(real, 10)).of(chunks(fake, 100)) == pytest.approx(expected, rel=1e-4)


def test_the_reals_themselves_are_at_distance_0() -> None:
    assert SnapshotScore(chunks(pictures(0))).of(chunks(pictures(0))) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("noise", noisy),
        ("paler", lambda images, strength: images * (1 - strength)),
        ("collapse", lambda images, strength: images[: max(2, int(N * (1 - strength)))].repeat(50, 1, 1, 1)[:N]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_it_grows_with_each_fault(name: str, spoil: Callable[[Tensor, float], Tensor]) -> None:
    score, fakes = SnapshotScore(chunks(pictures(0))), pictures(1)
    found = [score.of(chunks(spoil(fakes, strength))) for strength in (0.0, 0.3, 0.6, 0.9)]
    assert found == sorted(found), name
    assert found[-1] > 1.5 * found[0]


def test_channels_follow_the_reals() -> None:
    gray = pictures(0)[:, :1]
    assert SnapshotScore(chunks(gray)).of(chunks(pictures(1)[:, :1])) > 0


def test_one_image_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        SnapshotScore(chunks(pictures(0)[:1]))


@pytest.mark.parametrize(("reals", "samples"), [(1, 500), (286, 500), (600, 600), (1000, 1000), (60_000, 1000)])
def test_as_many_samples_are_scored_as_there_are_reals_within_bounds(reals: int, samples: int) -> None:
    assert scored_images(reals) == samples
