from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import ganglion
from ganglion.latent.model import discriminator_of, model_of
from ganglion.latent.project import Settings, feature_distance, project
from ganglion.networks.base import Discriminator
from ganglion.networks.build import build_discriminator
from ganglion.recipe.resolve import resolve

IMPROVED = {
    "data.size": 16, "data.channels": 1, "generator.width": 4, "discriminator.width": 4, "latent.dim": 6,
    "discriminator.norm": "virtual-batch",
}  # fmt: skip
CLASSES = {"data.conditional": True, "data.classes": ["a", "b", "c"], "data.class_counts": [3, 2, 1]}

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
    with pytest.raises(ValueError, match=r"makes images of \(1, 16, 16\); the image is \(3, 16, 16\)"):
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


def improved(**more: object) -> Discriminator:
    """Virtual batch normalisation, with reals that are not black to measure against."""
    network = build_discriminator(resolve("improved", IMPROVED | more)).eval().requires_grad_(False)
    network.reference = images(64, seed=9)
    return network


def images(n: int, seed: int) -> torch.Tensor:
    return torch.rand(n, 1, 16, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("more", [{}, CLASSES], ids=["unconditional", "conditional"])
def test_under_virtual_batch_norm_features_are_compared_as_d_computes_them(more: dict[str, object]) -> None:
    discriminator, target, others = improved(**more), images(1, seed=1), images(5, seed=2)
    found = feature_distance(discriminator, target)(others)
    by_hand = []
    for layer, shape in enumerate(((4, 8, 8), (8, 4, 4))):  # (C, H, W)
        labels = torch.zeros(6, dtype=torch.int64) if more else None
        maps = discriminator.trace(torch.cat([target, others]), labels, layer)[1].view(6, *shape)
        unit = maps / maps.norm(dim=1, keepdim=True)
        by_hand.append((unit[1:] - unit[:1]).square().sum(1).mean((1, 2)))
    assert torch.allclose(found, torch.stack(by_hand).mean(0), atol=1e-5)


def test_under_virtual_batch_norm_a_start_is_judged_whatever_the_other_starts_are() -> None:
    distance, starts = feature_distance(improved(), images(1, seed=1)), images(5, seed=2)
    assert torch.allclose(distance(starts), torch.cat([distance(start[None]) for start in starts]), atol=1e-5)
    assert float(distance(images(1, seed=1))) == pytest.approx(0, abs=1e-6)


def test_a_conditional_d_lends_its_features_too() -> None:
    """The class of an image enters D in its head, after all features."""
    torch.manual_seed(0)
    model = model_of(nn.Sequential(nn.Linear(4, 256), nn.Tanh(), nn.Unflatten(1, (1, 16, 16))), dim=4)
    plain, helped = (project(model, images(1, seed=1)[0], d, Settings(2, 5)) for d in (None, improved(**CLASSES)))
    assert not torch.equal(plain.z, helped.z)
