import numpy as np
import pytest
import torch

from ganglion.metrics.mirroring import mirror_p_value, sign_test


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def bars(n: int, left: float) -> np.ndarray:
    """Images with a bright bar, in the left half with probability `left`."""
    random = np.random.default_rng(0)
    images = random.integers(0, 60, (n, 32, 32, 3))
    for image in images:
        place = random.integers(2, 12)
        column = place if random.random() < left else 29 - place
        image[8:24, column : column + 3] += 180
    return images.astype(np.uint8)


def test_pairs_that_may_be_exchanged_have_p_values_spread_over_0_to_1() -> None:
    found = [sign_test(noise(40, 5, seed=2 * i), noise(40, 5, seed=2 * i + 1)) for i in range(60)]
    assert 0.3 < np.mean(found) < 0.7
    assert np.mean([p < 0.1 for p in found]) < 0.25
    assert min(found) > 0


def test_a_shift_between_the_two_sides_has_a_small_p_value() -> None:
    a = noise(40, 5)
    assert sign_test(a, noise(40, 5, seed=1) + 1) < 0.01
    assert sign_test(a, a) == 1  # each row is its own mirror image


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_of_one_side_differ_from_their_mirror_images_and_those_of_both_do_not(channels: int) -> None:
    def p(left: float) -> float:
        return mirror_p_value(np.repeat(bars(120, left)[..., :1], channels, 3))

    assert p(1.0) < 0.01
    assert p(0.0) < 0.01
    assert p(0.5) > 0.05


def test_it_is_a_function_of_the_images_alone() -> None:
    images = bars(50, 0.7)
    assert mirror_p_value(images) == mirror_p_value(images)
    assert 0 < mirror_p_value(images[:1]) <= 1
