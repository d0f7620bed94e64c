"""The scale between other real images and a Gaussian of the pixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from ganglion.metrics.relative_distance import (
    DistanceToReals,
    RelativeDistance,
    band_features,
    energy_distance,
    gaussian_images,
    most_fitted,
)


def rows(n: int, seed: int, shift: float = 0.0, width: int = 5) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(seed).standard_normal((n, width)) + shift


def test_it_is_twice_the_distance_between_sets_less_those_within_by_scipy() -> None:
    x, y = rows(30, 0), rows(20, 1, 0.5)
    within = sum(cdist(z, z).sum() / (len(z) * (len(z) - 1)) for z in (x, y))
    assert energy_distance(x, y) == pytest.approx(2 * cdist(x, y).mean() - within, rel=1e-7)


def test_in_one_dimension_two_points_apart_have_the_closed_form() -> None:
    """Of points at 0 and at a: 2a."""
    assert energy_distance(np.zeros((4, 1)), np.full((3, 1), 2.5)) == pytest.approx(5.0)


@pytest.mark.parametrize("n", [10, 60, 600])
def test_of_equal_distributions_it_is_0_in_the_mean_however_few_there_are(n: int) -> None:
    found = [energy_distance(rows(n, 2 * seed), rows(40, 2 * seed + 1)) for seed in range(60)]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 3 * error
    assert min(found) < 0 < max(found)


def test_repeated_samples_are_far_from_the_reals_though_each_is_one() -> None:
    x = rows(200, 0)
    ten = np.tile(x[:10], (20, 1))
    assert energy_distance(x, ten) > 10 * abs(energy_distance(x, rows(200, 1)))


def test_one_image_has_no_distance_within() -> None:
    with pytest.raises(ValueError, match="at least 2 images"):
        energy_distance(rows(1, 0), rows(5, 1))


def discs(seed: int, n: int = 150) -> Tensor:
    """Discs of random place, size and colour (N, 3, 16, 16) in [-1, 1]."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16]
    middle, radius = random.uniform(4, 12, (n, 2, 1, 1)), random.uniform(2, 5, (n, 1, 1))
    inside = (y - middle[:, 0]) ** 2 + (x - middle[:, 1]) ** 2 < radius**2
    colour = random.uniform(-0.5, 1, (n, 3, 1, 1))
    return torch.from_numpy(np.where(inside[:, None], colour, -1.0)).float()


def drawn(reals: Tensor, count: int, seed: int = 0, components: int = 100) -> Tensor:
    return torch.cat(list(gaussian_images(reals.split(64), count, np.random.default_rng(seed), components)))


COMPONENTS = 16


def test_the_gaussian_has_the_mean_and_the_leading_components_of_the_pixels() -> None:
    spread = np.linspace(1, 3, 27)
    reals = 0.05 * torch.from_numpy(rows(60, 0, width=27) * spread).float().view(
        60, 3, 3, 3
    )  # small: nothing is clipped
    found = drawn(reals, 20_000, components=COMPONENTS).flatten(1).numpy()
    values, vectors = np.linalg.eigh(np.cov(reals.flatten(1).numpy().T))
    leading = vectors[:, -COMPONENTS:]
    assert np.allclose(found.mean(0), reals.flatten(1).mean(0).numpy(), atol=5e-3)
    assert np.allclose(np.cov(found.T), leading * values[-COMPONENTS:] @ leading.T, atol=2e-3)
    assert np.linalg.matrix_rank(np.cov(found.T), tol=1e-6) == COMPONENTS


def test_its_images_are_within_the_range_of_pixels_and_as_many_as_asked_for() -> None:
    found = drawn(discs(0), 130)
    assert found.shape == (130, 3, 16, 16)
    assert float(found.abs().max()) <= 1


def blurred(images: Tensor) -> Tensor:
    return torch.nn.functional.avg_pool2d(images, 3, 1, 1, count_include_pad=False)


def test_other_reals_are_at_0_a_gaussian_at_1_and_faults_in_their_order() -> None:
    reals, others = discs(0), discs(1)
    distance = DistanceToReals(band_features(reals))
    gaussian = distance.of(band_features(drawn(reals, 150)))
    assert distance.resolves(gaussian)
    noise = torch.randn(others.shape, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    sets = {
        "reals": others, "blurred": blurred(others), "gaussian": drawn(reals, 150, 1), "noise": noise,
        "one": reals[:1].repeat(150, 1, 1, 1), "ten": reals[:10].repeat(15, 1, 1, 1),
    }  # fmt: skip
    found = {name: distance.of(band_features(images)) / gaussian for name, images in sets.items()}
    assert abs(found["reals"]) < 0.05
    assert found["gaussian"] == pytest.approx(1, abs=0.15)
    assert 0.1 < found["blurred"] < found["noise"]
    assert found["noise"] > 1
    assert 0.02 < found["ten"] < found["one"]


def scale(reals: Tensor) -> Callable[[Tensor], float]:
    """The relative distance of images."""
    distance = RelativeDistance(reals.split(64))
    gaussian = distance.distances(distance.features(drawn(reals, 150).split(64)))

    def of(images: Tensor) -> float:
        found = distance.of(distance.features(images.split(64)), gaussian)
        assert found is not None
        return found

    return of


def test_the_relative_distance_is_the_larger_of_that_of_textures_and_that_of_parts() -> None:
    reals, others = discs(0), discs(1)
    of = scale(reals)
    assert abs(of(others)) < 0.1
    assert of(drawn(reals, 150, 1)) == pytest.approx(1, abs=0.15)
    assert 0.1 < of(blurred(others)) < of(torch.randn(others.shape).clamp(-1, 1))
    distance = RelativeDistance([reals])
    features = distance.features([others])
    parts = distance.distances(features)
    assert distance.of(features, (1.0, 1e9)) == pytest.approx(max(parts[0], parts[1] / 1e9))
    assert distance.of(features, (1e9, 1.0)) == pytest.approx(max(parts[0] / 1e9, parts[1]))


def test_samples_whose_parts_have_other_shapes_are_far_though_their_textures_are_right() -> None:
    reals, others = discs(0, 300), discs(1, 300)
    broken = others.clone()
    broken[:, :, :8], broken[:, :, 8:] = others[:, :, 8:], others[:, :, :8]  # halves change places: discs are cut
    assert scale(reals)(broken) > 5 * max(0.02, scale(reals)(others))


def test_reals_that_are_all_alike_have_no_relative_distance() -> None:
    alike = torch.full((20, 3, 16, 16), 0.5)
    distance = RelativeDistance([alike])
    assert distance.of(distance.features([alike]), (0.0, 0.0)) is None


def test_a_gaussian_of_the_same_covariance_has_less_sparse_responses_than_drawings() -> None:
    reals = discs(0)
    sparseness = [band_features(images)[:, 48 + 12 : 48 + 24].mean() for images in (reals, drawn(reals, 150))]
    assert sparseness[0] < 0.75 * sparseness[1]
    assert sparseness[1] == pytest.approx(np.sqrt(2 / np.pi), abs=0.1)  # E|r| / rms of normal responses


@pytest.mark.parametrize(("channels", "size"), [(1, (16, 16)), (3, (32, 48)), (4, (64, 64))])
def test_any_channels_and_sizes_have_features_and_flat_images_too(channels: int, size: tuple[int, int]) -> None:
    features = band_features(torch.zeros(3, channels, *size))
    assert np.isfinite(features).all()
    assert np.ptp(features, axis=0).max() == 0


def test_images_that_are_all_alike_give_no_scale() -> None:
    alike = DistanceToReals(np.ones((5, 7)))
    assert alike.of(np.ones((3, 7))) == 0
    assert not alike.resolves(0.0)


def test_a_feature_that_is_constant_among_the_reals_does_not_decide() -> None:
    reals, samples = rows(100, 0), rows(100, 1)
    reals[:, 0], samples[:, 0] = 1.0, 1.0 + 1e-3
    assert abs(DistanceToReals(reals).of(samples)) < 0.2


@pytest.mark.parametrize(("shape", "most"), [((3, 64, 64), 1365), ((3, 256, 256), 85), ((4, 4096, 4096), 2)])
def test_a_gaussian_of_large_images_is_fitted_to_as_many_as_fit_into_64_mib(shape, most):
    assert most_fitted(shape) == most
