from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import ganglion
from ganglion.latent.model import discriminator_of, model_of
from ganglion.latent.project import Settings, project

QUICK = Settings(starts=6, steps=120)
FOUND = 0.1
"""Root mean square error on [-1, 1] below which a generated picture counts as found again."""


def test_a_generated_picture_is_found_again_in_nine_of_ten(digits_run: ganglion.Run) -> None:
    model = ganglion.load(digits_run)
    discriminator = discriminator_of(model)
    pictures = model.generate(model.latents(10, seed=77))
    found = [project(model, picture, discriminator, QUICK) for picture in pictures]
    assert sum(one.error < FOUND for one in found) >= 9
    assert sum(one.reached for one in found) >= 9
    for one in found:
        assert torch.equal(model.generate(one.z[None])[0], one.image)


def test_what_the_generator_cannot_make_is_said_to_be_out_of_reach(digits_run: ganglion.Run) -> None:
    model = ganglion.load(digits_run)
    noise = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = project(model, noise, None, QUICK)
    assert not found.reached
    assert found.error > 0.3


def test_equal_seeds_find_the_same(digits_run: ganglion.Run) -> None:
    model = ganglion.load(digits_run)
    picture = model.generate(model.latents(1, seed=5))[0]
    first, second = (project(model, picture, None, Settings(3, 20), seed=1) for _ in range(2))
    assert torch.equal(first.z, second.z)
    assert all(torch.equal(a, b) for a, b in zip(first.trace, second.trace, strict=True))


def test_the_search_gets_nearer_than_the_best_of_five_hundred_random_samples(digits_run: ganglion.Run) -> None:
    model = ganglion.load(digits_run)
    picture = model.generate(model.latents(1, seed=123))[0]
    drawn = model.generate(model.latents(512))
    best = float((drawn - picture).square().mean((1, 2, 3)).sqrt().min())
    assert project(model, picture, None, QUICK).error < 0.7 * best


@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_a_generator_without_gradients_is_searched_too(prior) -> None:  # type: ignore[no-untyped-def]
    def step(z: torch.Tensor) -> torch.Tensor:
        """Detached: no gradient comes back."""
        grid = torch.linspace(-1, 1, 8)
        centre = z[:, :2, None, None].tanh()
        return 2 * torch.exp(-8 * ((grid[:, None] - centre[:, :1]) ** 2 + (grid - centre[:, 1:]) ** 2)).detach() - 1

    model = model_of(step, dim=3, prior=prior)
    picture = step(torch.tensor([[0.4, -0.5, 0.0]]))[0]
    assert project(model, picture, None, Settings(2, 60)).error < 0.05


def test_a_picture_of_another_shape_is_refused(digits_run: ganglion.Run) -> None:
    with pytest.raises(ValueError, match=r"makes images \(1, 16, 16\); the picture is \(3, 16, 16\)"):
        project(ganglion.load(digits_run), torch.zeros(3, 16, 16), None, QUICK)


def test_progress_is_told_and_the_film_ends_with_what_was_found(digits_run: ganglion.Run, tmp_path: Path) -> None:
    told: list[int] = []
    model = ganglion.load(digits_run)
    found = project(
        model, model.generate(model.latents(1))[0], None, Settings(2, 10), progress=lambda d, t: told.append(d)
    )
    assert told == list(range(1, 11))
    assert torch.equal(found.trace[-1], found.image)
    assert np.isfinite(found.usual)


def test_the_weights_of_anothers_network_get_no_gradients() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 256), nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))
    model = model_of(network, dim=4)
    project(model, model.generate(model.latents(1, seed=3))[0].detach(), None, Settings(2, 10))
    assert all(weight.grad is None for weight in network.parameters())
