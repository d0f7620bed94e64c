from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganglion.augment.pipeline import flip, noise_at, present, variants
from ganglion.recipe.parts import Ada, DiffAugment, InstanceNoise, NoAugment


def images(n: int = 6) -> Tensor:
    return torch.rand(n, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def dice() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_with_nothing_asked_for_d_sees_the_images_themselves() -> None:
    x = images()
    assert present(x, NoAugment(), torch.tensor(1.0), 0.0, dice()) is x


def test_a_flip_mirrors_about_half_of_the_images_and_nothing_else() -> None:
    x = images(400)
    out = flip(x, dice())
    mirrored = torch.tensor([torch.equal(a, b.flip(2)) for a, b in zip(out, x, strict=True)])
    same = torch.tensor([torch.equal(a, b) for a, b in zip(out, x, strict=True)])
    assert bool((mirrored ^ same).all())
    assert 0.42 < float(mirrored.float().mean()) < 0.58


@pytest.mark.parametrize("settings", [NoAugment(flip=True), DiffAugment(), DiffAugment(policy=("cutout",)), Ada()])
def test_each_kind_changes_what_d_sees(settings: NoAugment | DiffAugment | Ada) -> None:
    x = images()
    assert not torch.equal(present(x, settings, torch.tensor(1.0), 0.0, dice()), x)


def test_instance_noise_has_the_asked_deviation() -> None:
    x = images(50)
    added = present(x, NoAugment(), torch.tensor(0.0), 0.3, dice()) - x
    assert float(added.std()) == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize(
    ("images_seen", "decay", "expected"), [(0, 10, 0.4), (5000, 10, 0.2), (20_000, 10, 0), (9e6, None, 0.4)]
)
def test_instance_noise_falls_linearly_where_it_decays(
    images_seen: float, decay: float | None, expected: float
) -> None:
    assert noise_at(InstanceNoise(std=0.4, decay_kimg=decay), int(images_seen)) == pytest.approx(expected)


@pytest.mark.parametrize("settings", [NoAugment(flip=True), DiffAugment(), Ada()])
def test_it_does_the_same_inside_bf16_autocast_and_for_images_that_g_made_in_bf16(
    settings: NoAugment | DiffAugment | Ada,
) -> None:
    x, strength = images(), torch.tensor(0.9)
    plain = present(x, settings, strength, 0.1, dice())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(present(x, settings, strength, 0.1, dice()), plain)
        assert present(x.bfloat16(), settings, strength, 0.1, dice()).shape == x.shape


def test_each_image_is_followed_by_its_augmented_copies() -> None:
    x = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    page = variants(x, DiffAugment(), 4, 1.0)
    assert page.shape == (15, 1, 16, 16)
    assert torch.equal(page[::5], x)
    assert not any(torch.equal(page[i], x[i // 5]) for i in range(15) if i % 5)


def test_under_ada_it_is_as_strong_as_asked() -> None:
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert torch.allclose(variants(x, Ada(), 2, 0.0), x.repeat_interleave(3, 0), atol=1e-5)
    assert not torch.allclose(variants(x, Ada(), 2, 1.0), x.repeat_interleave(3, 0), atol=1e-1)
