from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from ganglion.metrics.ms_ssim import levels_for, likeness


def pictures(n: int, side: int = 32, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Smooth blots."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    y, x, spread = random.uniform(0.2, 0.8, (3, n, 1, 1, channels))
    return (255 * np.exp(-((rows[..., None] - y) ** 2 + (columns[..., None] - x) ** 2) / (0.1 * spread))).astype(
        np.uint8
    )


def of(images: np.ndarray, seed: int = 0, pairs: int = 200) -> float:
    return likeness(images, np.random.default_rng(seed), pairs)


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
    assert levels_for(side) == levels


def test_one_image_makes_no_pair():
    with pytest.raises(ValueError, match="at least two"):
        of(pictures(1))
