from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganglion.metrics.patches import DICTIONARY, SIDE, PatchFeatures, shrunk


def bars(n: int, seed: int, horizontal: bool = False) -> Tensor:
    """Images (N, 3, 16, 16) with some upright bars at random places."""
    random = np.random.default_rng(seed)
    images = -np.ones((n, 3, 16, 16), np.float32)
    for image in images:
        for x in random.integers(0, 14, 3):
            image[:, :, x : x + 2] = random.uniform(0, 1, (3, 1, 1))
    found = torch.from_numpy(images)
    return found.transpose(2, 3).contiguous() if horizontal else found


def apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a.mean(0) - b.mean(0)))


def test_features_tell_parts_of_another_shape_from_other_images_of_the_same() -> None:
    reals = bars(60, 0)
    features = PatchFeatures(reals, 16)
    same, turned, blurred = bars(60, 1), bars(60, 1, horizontal=True), avg_pool2d(bars(60, 1), 3, 1, 1)
    others = apart(features(reals), features(same))
    assert apart(features(reals), features(turned)) > 4 * others
    assert apart(features(reals), features(blurred)) > 4 * others


def test_a_patch_is_most_like_itself_and_brightness_and_contrast_count_little() -> None:
    reals = torch.rand(40, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = PatchFeatures(reals, 16)
    found, dimmed = features(reals[:5]), features(reals[:5] * 0.5 + 0.2)
    other = features(reals[5:10])
    assert np.abs(found - dimmed).mean() < 0.2 * np.abs(found - other).mean()


@pytest.mark.parametrize(("channels", "size"), [(1, (16, 16)), (3, (28, 28)), (4, (64, 48)), (3, (32, 96))])
def test_any_channels_and_sizes_have_finite_features_and_flat_images_too(channels: int, size: tuple[int, int]) -> None:
    reals = torch.randn(3, channels, *size, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)
    for images in (reals, torch.zeros(2, channels, *size)):
        found = PatchFeatures(reals, 16)(images)
        assert found.shape == (len(images), DICTIONARY * 4)
        assert np.isfinite(found).all()
    assert np.isfinite(PatchFeatures(torch.zeros(2, channels, *size), 16)(reals)).all()


def test_the_dictionary_is_the_same_in_every_run_and_chunks_change_nothing() -> None:
    reals = bars(30, 0)
    once, again = PatchFeatures(reals, 16), PatchFeatures(reals.clone(), 16)
    whole = once(reals)
    assert np.array_equal(whole, again(reals))
    parts = np.concatenate([once(part) for part in reals.split(7)])
    assert np.allclose(whole, parts, atol=1e-5)


def test_images_are_halved_while_their_short_side_is_at_least_twice_the_least() -> None:
    sides = {16: 16, 28: 28, 32: 16, 48: 24, 64: 16, 100: 25}
    assert {side: shrunk(torch.zeros(1, 1, side, side + 4), 16).shape[2] for side in sides} == sides
    assert shrunk(torch.full((1, 1, 64, 64), 0.5), 16).mean() == 0.5
    assert SIDE < 16
