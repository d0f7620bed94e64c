from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganglion.latent.model import Model, model_of
from ganglion.latent.nearby import inside, nearby
from ganglion.recipe.schema import Prior


def model(prior: Prior, dim: int = 64) -> Model:
    def draw(z: Tensor) -> Tensor:
        return z[:, :1, None, None].tanh()

    return model_of(draw, dim=dim, prior=prior)


@pytest.mark.parametrize("prior", ["normal", "uniform", "sphere"])
def test_at_no_distance_all_are_the_latent_itself(prior: Prior) -> None:
    one = model(prior)
    z = one.latents(1, seed=3)[0]
    assert torch.allclose(nearby(one, z, 5, 0.0), z.expand(5, -1), atol=1e-6)


@pytest.mark.parametrize("prior", ["normal", "uniform", "sphere"])
def test_they_are_farther_with_the_distance_and_differ_from_each_other(prior: Prior) -> None:
    one = model(prior)
    z = one.latents(1, seed=3)[0]
    apart = [float((nearby(one, z, 50, distance) - z).norm(dim=1).mean()) for distance in (0.2, 0.5, 1.0)]
    assert apart == sorted(apart)
    assert apart[0] < 0.5 * apart[2]
    assert len(nearby(one, z, 50, 0.2).unique(dim=0)) == 50


def test_under_a_normal_prior_they_have_its_variance_at_any_distance() -> None:
    one = model("normal", dim=256)
    z = one.latents(1, seed=3)[0]
    for distance in (0.3, 0.7, 1.0):
        assert float(nearby(one, z, 200, distance).square().mean()) == pytest.approx(float(z.square().mean()), rel=0.15)


def test_under_a_uniform_prior_they_stay_in_the_cube_and_on_the_sphere_on_it() -> None:
    cube, sphere = model("uniform"), model("sphere")
    corner, pole = torch.ones(64), torch.zeros(64)
    pole[0] = 8.0
    assert float(nearby(cube, corner, 50, 0.4).abs().max()) <= 1
    assert torch.allclose(nearby(sphere, pole, 50, 0.4).norm(dim=1), torch.tensor(8.0), atol=1e-4)


def test_equal_seeds_give_equal_latents_and_other_seeds_others() -> None:
    one = model("normal")
    z = one.latents(1)[0]
    assert torch.equal(nearby(one, z, 4, 0.5, seed=1), nearby(one, z, 4, 0.5, seed=1))
    assert not torch.equal(nearby(one, z, 4, 0.5, seed=1), nearby(one, z, 4, 0.5, seed=2))


@pytest.mark.parametrize("distance", [-0.1, 1.1, float("nan")])
def test_a_distance_that_is_none_is_refused(distance: float) -> None:
    with pytest.raises(ValueError, match="distance is from 0 to 1"):
        nearby(model("normal"), torch.zeros(64), 1, distance)


def test_the_origin_of_the_sphere_stays_where_it_is() -> None:
    assert torch.equal(inside(torch.zeros(2, 8), "sphere"), torch.zeros(2, 8))
    assert inside(torch.ones(8), "sphere", 0.5).norm() == pytest.approx(0.5 * 8**0.5)
