from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

import ganglion
from ganglion.latent.model import Model, model_of
from ganglion.latent.walk import influence, linear, path_through, spherical, walk_along, walk_dimensions
from ganglion.recipe.schema import Latent

Z = torch.randn(3, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("way", [spherical, linear])
def test_the_ends_are_the_ends_and_the_middle_is_as_far_from_both(way) -> None:  # type: ignore[no-untyped-def]
    one, other = Z[0], Z[1]
    assert torch.allclose(way(one, other, 0.0), one, atol=1e-5)
    assert torch.allclose(way(one, other, 1.0), other, atol=1e-5)
    middle = way(one, other, 0.5)
    assert float((middle - one).norm()) == pytest.approx(float((middle - other).norm()), rel=0.05)


def test_an_arc_keeps_the_length_that_a_line_loses() -> None:
    one, other = Z[0] / Z[0].norm(), Z[1] / Z[1].norm()
    assert float(spherical(one, other, 0.5).norm()) == pytest.approx(1, abs=1e-5)
    assert float(linear(one, other, 0.5).norm()) < 0.85


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


Z_WALK = torch.randn(6, generator=torch.Generator().manual_seed(0))


def test_one_coordinate_moves_and_all_others_stay() -> None:
    rows = walk_dimensions(Z_WALK, [4, 1], -3, 3, 7)
    assert rows.shape == (2, 7, 6)
    assert rows[0, :, 4].tolist() == pytest.approx([-3, -2, -1, 0, 1, 2, 3])
    kept = [i for i in range(6) if i != 4]
    assert torch.equal(rows[0][:, kept], Z_WALK[kept].expand(7, 5))
    assert torch.equal(rows[1][:, 4], Z_WALK[4].expand(7))


@pytest.mark.parametrize("dim", [6, -1])
def test_a_dimension_that_is_not_there_is_named(dim: int) -> None:
    with pytest.raises(ValueError, match=f"z has the dimensions 0 to 5; there is no {dim}"):
        walk_dimensions(Z_WALK, [0, dim], -1, 1, 3)


def test_along_a_direction_the_middle_is_the_latent_itself() -> None:
    rows = walk_along(Z_WALK, torch.eye(6)[:2], -2, 2, 5)
    assert torch.equal(rows[:, 2], Z_WALK.expand(2, 6))
    assert rows[1, 4].tolist() == pytest.approx((Z_WALK + 2 * torch.eye(6)[1]).tolist())


def test_influence_is_the_size_of_the_change_by_dimension() -> None:
    """A generator whose pixel i is weight i times z i: the change over one deviation is that weight, over one pixel of four."""
    weights = torch.tensor([0.0, 0.5, 1.0, 2.0])
    model = model_of(lambda z: (z * weights).view(-1, 1, 2, 2), dim=4)
    assert influence(model, bases=3).tolist() == pytest.approx([0, 0.25, 0.5, 1.0], rel=1e-4)


def test_influence_is_that_of_the_class_that_is_asked_for() -> None:
    """Each class moves by its own dimension."""

    def draw(z: torch.Tensor, labels: torch.Tensor | None) -> Iterator[torch.Tensor]:
        assert labels is not None
        yield (z * torch.eye(2)[labels]).view(-1, 2, 1, 1)

    cpu = torch.device("cpu")
    model = Model(Latent(dim=2), draw, cpu, classes=("a", "b"), class_counts=(1, 1))
    assert influence(model, bases=3, labels=torch.tensor([0])).argmax() == 0
    assert influence(model, bases=3, labels=torch.tensor([1])).argmax() == 1
    assert (influence(model, bases=16) > 0).all()


@pytest.mark.parametrize("dims", [3, 70, 128])
def test_influence_of_many_dimensions_is_measured_in_parts_and_is_that_of_each_alone(dims: int) -> None:
    weights = torch.linspace(0, 1, dims)
    model = model_of(lambda z: (z * weights).sum(1).sin().view(-1, 1, 1, 1), dim=dims)
    z = model.latents(5)
    less, more = (
        torch.stack([model.generate(z + sign * 0.5 * torch.eye(dims)[dim]) for dim in range(dims)]) for sign in (-1, 1)
    )
    alone = (more - less).abs().flatten(1).mean(1)
    seen: list[int] = []
    assert influence(model, bases=5, progress=lambda done, total: seen.append(done)).tolist() == pytest.approx(
        alone.tolist()
    )
    assert seen[-1] == dims
    assert len(seen) == -(-dims // 12)


def test_a_walk_through_a_trained_generator_is_smooth(digits_run: ganglion.Run) -> None:
    model = ganglion.load(digits_run)
    strongest = int(np.argmax(influence(model, bases=2)))
    images = model.generate(walk_dimensions(model.latents(1)[0], [strongest], -3, 3, 13)[0])
    apart = (images[:, None] - images[None]).square().flatten(2).mean(2).sqrt()
    steps = apart.diagonal(1)
    assert float(steps.max()) < 0.6 * float(apart.max())
    assert float(steps.mean()) < 0.5 * float(apart[0].mean())
