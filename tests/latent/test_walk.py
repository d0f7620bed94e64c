from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

import ganglion
from ganglion.latent.model import Model, model_of
from ganglion.latent.walk import influence, walk_along, walk_dimensions
from ganglion.recipe.schema import Latent

Z = torch.randn(6, generator=torch.Generator().manual_seed(0))


def test_one_coordinate_moves_and_all_others_stay() -> None:
    rows = walk_dimensions(Z, [4, 1], -3, 3, 7)
    assert rows.shape == (2, 7, 6)
    assert rows[0, :, 4].tolist() == pytest.approx([-3, -2, -1, 0, 1, 2, 3])
    kept = [i for i in range(6) if i != 4]
    assert torch.equal(rows[0][:, kept], Z[kept].expand(7, 5))
    assert torch.equal(rows[1][:, 4], Z[4].expand(7))


@pytest.mark.parametrize("dim", [6, -1])
def test_a_dimension_that_is_not_there_is_named(dim: int) -> None:
    with pytest.raises(ValueError, match=f"z has the dimensions 0 to 5; there is no {dim}"):
        walk_dimensions(Z, [0, dim], -1, 1, 3)


def test_along_a_direction_the_middle_is_the_latent_itself() -> None:
    rows = walk_along(Z, torch.eye(6)[:2], -2, 2, 5)
    assert torch.equal(rows[:, 2], Z.expand(2, 6))
    assert rows[1, 4].tolist() == pytest.approx((Z + 2 * torch.eye(6)[1]).tolist())


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


def test_a_walk_through_a_trained_generator_is_smooth(digits_run: ganglion.Run) -> None:
    model = ganglion.load(digits_run)
    strongest = int(np.argmax(influence(model, bases=2)))
    images = model.generate(walk_dimensions(model.latents(1)[0], [strongest], -3, 3, 13)[0])
    apart = (images[:, None] - images[None]).square().flatten(2).mean(2).sqrt()
    steps = apart.diagonal(1)
    assert float(steps.max()) < 0.6 * float(apart.max())
    assert float(steps.mean()) < 0.5 * float(apart[0].mean())
