"""The score of snapshots."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from ganglion.metrics.cheap_score import CheapScore
from ganglion.metrics.frechet import frechet_distance, moments
from ganglion.metrics.random_features import random_extractor

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
    expected = frechet_distance(*(moments(extractor.look(images).features.numpy()) for images in (real, fake)))
    assert CheapScore(chunks(real)).of(chunks(fake)) == pytest.approx(expected, rel=1e-4)
    assert CheapScore(chunks(real, 10)).of(chunks(fake, 100)) == pytest.approx(expected, rel=1e-4)


def test_the_reals_themselves_are_at_distance_0() -> None:
    assert CheapScore(chunks(pictures(0))).of(chunks(pictures(0))) == pytest.approx(0, abs=1e-4)


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
    score, fakes = CheapScore(chunks(pictures(0))), pictures(1)
    found = [score.of(chunks(spoil(fakes, strength))) for strength in (0.0, 0.3, 0.6, 0.9)]
    assert found == sorted(found), name
    assert found[-1] > 1.5 * found[0]


def test_channels_follow_the_reals() -> None:
    gray = pictures(0)[:, :1]
    assert CheapScore(chunks(gray)).of(chunks(pictures(1)[:, :1])) > 0


def test_one_image_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        CheapScore(chunks(pictures(0)[:1]))
