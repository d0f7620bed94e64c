from __future__ import annotations

import numpy as np
import pytest
import torch

from ganglion.vitals import sample_stats


def noise(n: int, side: int = 16, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 1, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_distances_of_small_rows_are_root_mean_squares() -> None:
    one, other = torch.zeros(1, 3, 16, 16), torch.full((1, 3, 16, 16), 0.5)
    rows = sample_stats.downsampled(torch.cat([one, other]))
    assert float((rows[0] - rows[1]).norm()) == pytest.approx(0.5)
    assert sample_stats.downsampled(noise(2, 64)).shape == (2, 32 * 32)


def test_the_mean_distance_is_over_all_pairs() -> None:
    rows = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    expected = np.mean([float((rows[i] - rows[j]).norm()) for i in range(7) for j in range(7) if i != j])
    assert float(sample_stats.mean_distance(sample_stats.pairwise(rows))) == pytest.approx(expected, rel=1e-5)
    assert float(sample_stats.mean_distance(sample_stats.pairwise(rows[:1].repeat(4, 1)))) == 0


def test_the_nearest_is_never_oneself() -> None:
    rows = torch.tensor([[0.0], [1.0], [3.0]])
    assert sample_stats.nearest_others(sample_stats.pairwise(rows)).tolist() == [1, 1, 2]
    assert sample_stats.nearest_distances(rows, torch.tensor([[0.5], [9.0]])).tolist() == [0.5, 0.5, 2.5]


def test_duplicates_are_the_samples_that_have_a_twin() -> None:
    usual = sample_stats.nearest_others(sample_stats.pairwise(sample_stats.downsampled(noise(32)))).median()
    fakes = noise(32, seed=1)
    assert float(sample_stats.duplicates(sample_stats.pairwise(sample_stats.downsampled(fakes)), usual)) == 0
    fakes[:8] = fakes[8:16] + 0.001
    assert float(sample_stats.duplicates(sample_stats.pairwise(sample_stats.downsampled(fakes)), usual)) == 0.5


def test_saturation_is_the_share_of_black_and_white() -> None:
    images = torch.tensor([-1.0, -0.99, 0.0, 0.5]).view(1, 1, 2, 2)
    assert float(sample_stats.saturation(images)) == 0.5


def test_contrast_is_within_images_and_not_between_them() -> None:
    flat = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 8, 8)
    assert float(sample_stats.contrast(flat)) == 0
    board = (torch.arange(64).view(1, 1, 8, 8) % 2) * 2.0 - 1
    assert float(sample_stats.contrast(board)) == 1


def test_fine_energy_sees_grain_and_no_ramp() -> None:
    ramp = torch.linspace(-1, 1, 16).expand(1, 1, 16, 16)
    assert float(sample_stats.fine_energy(ramp)) == pytest.approx(0, abs=1e-10)
    grain = 0.3 * torch.randn(4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert float(sample_stats.fine_energy(grain)) == pytest.approx(
        0.09 * 8 / 9, rel=0.05
    )  # variance of x minus a mean of nine


def test_the_value_range_is_smallest_largest_mean_and_deviation() -> None:
    values = torch.tensor([-2.0, 0.0, 1.0, 5.0]).view(1, 1, 2, 2)
    assert sample_stats.value_range(values).tolist() == pytest.approx([-2, 5, 1, float(np.std([-2, 0, 1, 5]))])


def test_a_borrowed_border_leaves_the_inside_alone() -> None:
    mine, theirs = torch.zeros(2, 1, 32, 16), torch.ones(2, 1, 32, 16)
    found = sample_stats.with_border_of(mine, theirs)
    assert float(found[:, :, 2:-2, 1:-1].abs().sum()) == 0
    assert float(found.sum()) == 2 * (32 * 16 - 28 * 14)


def test_checkerboards_are_found_at_any_size_and_edges_and_ramps_are_not() -> None:
    rows, columns = torch.meshgrid(torch.arange(20), torch.arange(28), indexing="ij")
    ramp = (rows / 20 - 0.5).expand(2, 3, 20, 28)
    edge = torch.where(columns < 13, -0.8, 0.8).expand(2, 3, 20, 28)
    smooth = max(float(sample_stats.checkerboard_energy(images)) for images in (ramp, edge))
    for pattern, share in (((-1.0) ** columns, 4 / 3), ((-1.0) ** rows, 4 / 3), ((-1.0) ** (rows + columns), 8 / 9)):
        grid = ramp + 0.2 * pattern  # of which the 3x3 mean leaves `share`
        assert float(sample_stats.checkerboard_energy(grid)) == pytest.approx((0.2 * share) ** 2, rel=0.02)
    assert smooth < 0.2**2 / 6
    noise = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.2
    assert float(sample_stats.checkerboard_energy(noise)) < 0.2**2 / 10  # grain alternates at another phase everywhere
