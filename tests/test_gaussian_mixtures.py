from __future__ import annotations

import math

import numpy as np
import pytest

from gaussian_mixtures import PLANES, PlaneBatches


@pytest.mark.parametrize(("name", "modes"), [("ring8", 8), ("grid25", 25)])
def test_true_points_have_every_mode_and_are_good_as_often_as_a_normal_distribution_says(name: str, modes: int) -> None:
    plane = PLANES[name]
    found = plane.judge(plane.draw(20_000, np.random.default_rng(0)))
    assert found.modes == len(plane.modes) == modes
    assert found.good == pytest.approx(1 - math.exp(-4.5), abs=0.003)  # within 3 deviations in the plane


def test_modes_lie_further_apart_than_a_good_point_can_stray() -> None:
    for plane in PLANES.values():
        apart = np.linalg.norm(plane.modes[:, None] - plane.modes[None], axis=2)
        assert apart[apart > 0].min() > 2 * 3 * plane.std


def test_a_collapsed_generator_has_one_mode_and_a_lost_one_none() -> None:
    plane = PLANES["ring8"]
    at_one = np.repeat(plane.modes[:1], 1000, 0).astype(np.float32)
    assert plane.judge(at_one) == (1, 1.0)
    assert plane.judge(np.zeros((1000, 2), np.float32)) == (0, 0.0)


def test_a_mode_that_a_handful_of_strays_hit_does_not_count() -> None:
    plane = PLANES["grid25"]
    points = np.repeat(plane.modes[:1], 10_000, 0)
    points[:7] = plane.modes[1]  # fewer than a fiftieth of an even share of 400
    points[7:20] = plane.modes[2]
    assert plane.judge(points.astype(np.float32)).modes == 2


def test_points_are_a_function_of_seed_and_position() -> None:
    batches = PlaneBatches(PLANES["ring8"], 0)
    first, again, later = (batches.take(position, 8).images for position in (0, 0, 8))
    assert first.tolist() == again.tolist()
    assert first.tolist() != later.tolist()
    assert PlaneBatches(PLANES["ring8"], 1).take(0, 8).images.tolist() != first.tolist()
    assert batches.take(0, 8, slice(1, None, 2)).images.tolist() == first[1::2].tolist()
