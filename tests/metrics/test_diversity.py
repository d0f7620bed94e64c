from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from ganglion.metrics.diversity import (
    class_balance,
    inception_score,
    ms_ssim_of_pairs,
    multi_scale_similarity,
    scale_count,
)


def sure(classes: list[int], k: int = 4) -> np.ndarray:
    """Probabilities of images that are of these classes for certain."""
    return np.eye(k)[classes]


def test_equal_shares_diverge_by_0_and_find_all():
    found = class_balance(sure([0, 1, 2, 3] * 5), sure([3, 2, 1, 0]))
    assert (found.found, found.divergence) == (4, 0)


def test_the_divergence_is_scipys():
    found = class_balance(sure([0] * 5 + [1] * 3 + [2, 3]), sure([0, 0, 0, 1, 1, 2, 3, 3]))
    assert found.divergence == pytest.approx(entropy([3, 2, 1, 2], [5, 3, 1, 1]))
    assert np.allclose(found.shares, [3 / 8, 2 / 8, 1 / 8, 2 / 8])


def test_a_lost_class_is_not_found_and_one_image_of_hundreds_does_not_find_it():
    real = sure([0, 1] * 200, 2)
    assert class_balance(real, sure([0] * 400, 2)).found == 1
    assert class_balance(real, sure([0] * 399 + [1], 2)).found == 1
    assert class_balance(real, sure([0] * 380 + [1] * 20, 2)).found == 2
    assert class_balance(real, sure([0] * 400, 2)).divergence == pytest.approx(np.log(2))


def test_a_class_that_no_real_image_has_leaves_the_divergence_finite():
    assert np.isfinite(class_balance(sure([0, 1, 2]), sure([3, 3])).divergence)


def test_the_inception_score_is_1_for_the_unsure_and_for_one_class_and_k_for_all_classes():
    assert inception_score(np.full((10, 4), 0.25)) == pytest.approx(1)
    assert inception_score(sure([2] * 10)) == pytest.approx(1)
    assert inception_score(sure([0, 1, 2, 3] * 10)) == pytest.approx(4)


def test_the_inception_score_is_its_definition():
    p = np.random.default_rng(0).dirichlet(np.ones(5), 200)
    expected = np.exp(np.mean([entropy(row, p.mean(0)) for row in p]))
    assert inception_score(p) == pytest.approx(expected)


def pictures(n: int, side: int = 32, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Smooth blots."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    y, x, spread = random.uniform(0.2, 0.8, (3, n, 1, 1, channels))
    return (255 * np.exp(-((rows[..., None] - y) ** 2 + (columns[..., None] - x) ** 2) / (0.1 * spread))).astype(
        np.uint8
    )


def of(images: np.ndarray, seed: int = 0, pairs: int = 200) -> float:
    return ms_ssim_of_pairs(images, np.random.default_rng(seed), pairs)


@pytest.mark.parametrize("side", [8, 16, 28, 32, 64, 176])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_equal_images_are_alike_to_1_at_every_size(side, channels):
    one = pictures(1, side, channels)
    assert of(np.repeat(one, 5, 0), pairs=20) == pytest.approx(1, abs=1e-5)


def test_at_one_scale_it_is_structural_similarity():
    images = pictures(2, 16)
    a, b = (torch.from_numpy(images[i].transpose(2, 0, 1)[None] / 255).float() for i in (0, 1))
    expected = structural_similarity_index_measure(a, b, kernel_size=11, sigma=1.5, data_range=1.0).clamp_min(0)
    assert of(images) == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize(
    ("side", "channels"), [((8, 8), 1), ((24, 16), 3), ((32, 32), 1), ((64, 48), 3), ((180, 200), 1)]
)
@pytest.mark.parametrize("kind", ["blots", "noise"])
def test_it_is_that_of_torchmetrics(side, channels, kind):
    """In float64 as in theirs, so that no more than rounding differs."""
    random = torch.Generator().manual_seed(0)
    if kind == "noise":  # some factors are negative
        a, b = (torch.rand(2, channels, *side, generator=random, dtype=torch.float64) for _ in range(2))
    else:
        blots = torch.from_numpy(pictures(4, max(side), channels)[:, : side[0], : side[1]] / 255)
        a, b = blots.permute(0, 3, 1, 2).split(2)
    size = 11 if min(side) >= 11 else 7
    weights = torch.tensor([0.0448, 0.2856, 0.3001, 0.2363, 0.1333], dtype=torch.float64)[
        : scale_count(min(side), size)
    ]
    expected = multiscale_structural_similarity_index_measure(
        a, b, kernel_size=size, sigma=1.5 * size / 11, data_range=1.0, betas=tuple((weights / weights.sum()).tolist()),
        reduction="none", normalize="relu",
    )  # fmt: skip
    assert multi_scale_similarity(a, b).tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    assert 0.01 < float(expected.max()) < 0.999


def test_between_two_flat_images_it_is_the_luminance_alone():
    """(2 * 0.2 * 0.6 + 0.0001) / (0.04 + 0.36 + 0.0001), to the weight of the coarsest of two scales."""
    a, b = (torch.full((1, 1, 22, 22), level, dtype=torch.float64) for level in (0.2, 0.6))
    expected = (0.2401 / 0.4001) ** (0.2856 / (0.0448 + 0.2856))
    assert float(multi_scale_similarity(a, b)) == pytest.approx(expected, rel=1e-9)


def test_images_smaller_than_the_window_are_refused():
    with pytest.raises(ValueError, match="at least 7x7 pixels; a side is 6"):
        of(pictures(5, 6))


def test_the_fewer_different_images_the_more_alike():
    images = pictures(200)
    found = [of(images[np.arange(400) % distinct], pairs=800) for distinct in (200, 8, 3, 1)]
    assert all(b > a + 0.02 for a, b in pairwise(found))


def test_no_image_is_paired_with_itself():
    """Of two images, each pair is of both; half of the pairs with themselves would be alike to more than 0.7."""
    images = np.zeros((2, 32, 32, 1), np.uint8)
    images[0, ::2] = 255
    images[1, :, ::2] = 255
    assert of(images) < 0.5


@pytest.mark.parametrize(("side", "levels"), [(8, 1), (11, 1), (22, 2), (32, 2), (64, 3), (128, 4), (176, 5), (512, 5)])
def test_small_images_have_fewer_scales(side, levels):
    assert scale_count(side) == levels


def test_one_image_makes_no_pair():
    with pytest.raises(ValueError, match="at least two"):
        of(pictures(1))
