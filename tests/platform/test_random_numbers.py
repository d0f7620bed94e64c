"""Random numbers of a share of a batch are those that one process draws for the whole of it."""

from __future__ import annotations

import pytest
import torch

from ganglion.augment.pipeline import present
from ganglion.platform.random_numbers import ShareGenerator, drawn, noise_like
from ganglion.recipe.parts import Ada, DiffAugment

CPU = torch.device("cpu")


def shares(count: int) -> list[torch.Generator]:
    return [ShareGenerator(CPU, rank, count).manual_seed(7) for rank in range(count)]


def test_the_shares_of_all_processes_are_what_one_draws() -> None:
    whole = drawn(lambda n: torch.rand(n, 2, generator=one), 6, one := torch.Generator().manual_seed(7))
    for count in (1, 2, 3):
        for rank, random in enumerate(shares(count)):
            share = drawn(lambda n, random=random: torch.rand(n, 2, generator=random), 6 // count, random)
            assert torch.equal(share, whole[rank::count])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_noise_follows_the_memory_layout_and_not_the_number_of_processes(layout: torch.memory_format) -> None:
    images = torch.zeros(6, 3, 8, 8).contiguous(memory_format=layout)
    whole = noise_like(images, torch.Generator().manual_seed(7))
    expected = torch.empty_like(images).normal_(generator=torch.Generator().manual_seed(7))
    assert torch.equal(whole, expected)
    for rank, random in enumerate(shares(2)):
        assert torch.equal(noise_like(images[rank::2].contiguous(memory_format=layout), random), whole[rank::2])


@pytest.mark.parametrize("settings", [DiffAugment(kind="diffaugment", flip=True), Ada(kind="ada", flip=True)])
def test_an_image_is_augmented_alike_in_any_number_of_processes(settings: DiffAugment | Ada) -> None:
    images, strength = torch.rand(6, 3, 16, 16) * 2 - 1, torch.tensor(0.7)
    whole = present(images, settings, strength, 0.1, torch.Generator().manual_seed(7))
    assert not torch.allclose(whole, images)
    for rank, random in enumerate(shares(3)):
        torch.testing.assert_close(present(images[rank::3], settings, strength, 0.1, random), whole[rank::3])
