from __future__ import annotations

import math

import pytest
import torch

from ganglion.latent.paths import path_through, spherical, straight

Z = torch.randn(3, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("way", [spherical, straight])
def test_the_ends_are_the_ends_and_the_middle_is_as_far_from_both(way) -> None:  # type: ignore[no-untyped-def]
    one, other = Z[0], Z[1]
    assert torch.allclose(way(one, other, 0.0), one, atol=1e-5)
    assert torch.allclose(way(one, other, 1.0), other, atol=1e-5)
    middle = way(one, other, 0.5)
    assert float((middle - one).norm()) == pytest.approx(float((middle - other).norm()), rel=0.05)


def test_an_arc_keeps_the_length_that_a_line_loses() -> None:
    one, other = Z[0] / Z[0].norm(), Z[1] / Z[1].norm()
    assert float(spherical(one, other, 0.5).norm()) == pytest.approx(1, abs=1e-5)
    assert float(straight(one, other, 0.5).norm()) < 0.85


def test_an_arc_turns_evenly() -> None:
    """A closed form: in the plane, from (1, 0) to (0, 2), a third of the way."""
    found = spherical(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0]), 1 / 3)
    length, angle = 4 / 3, math.pi / 6
    assert found.tolist() == pytest.approx([length * math.cos(angle), length * math.sin(angle)], abs=1e-5)


@pytest.mark.parametrize("other", [Z[0], 2 * Z[0], -Z[0], torch.zeros(64)])
def test_where_there_is_no_arc_there_is_a_line(other: torch.Tensor) -> None:
    found = spherical(Z[0], other, 0.5)
    assert bool(found.isfinite().all())
    assert torch.allclose(found, torch.lerp(Z[0], other, 0.5), atol=1e-4)


@pytest.mark.parametrize("prior", ["normal", "uniform", "sphere"])
def test_every_latent_is_a_frame_exactly(prior) -> None:  # type: ignore[no-untyped-def]
    way = path_through(Z, 5, prior)
    assert way.shape == (11, 64)
    assert all(torch.equal(way[5 * i], Z[i]) for i in range(3))


def test_a_loop_ends_where_it_began_without_a_frame_twice() -> None:
    way = path_through(Z, 4, "normal", loop=True)
    assert len(way) == 12
    assert torch.equal(way[0], Z[0])
    back = spherical(Z[2], Z[0], 3 / 4)
    assert torch.allclose(way[-1], back)


def test_frames_next_to_each_other_are_nearer_than_others() -> None:
    way = path_through(Z[:2], 8, "normal")
    near = (way[1:] - way[:-1]).norm(dim=1)
    assert float(near.max()) < 0.3 * float((way[-1] - way[0]).norm())


def test_a_way_needs_two_ends() -> None:
    with pytest.raises(ValueError, match="at least two latents"):
        path_through(Z[:1], 5, "normal")
    with pytest.raises(ValueError, match="at least one frame"):
        path_through(Z, 0, "normal")
