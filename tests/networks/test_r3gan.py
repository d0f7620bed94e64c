from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganglion.networks.build import build_discriminator, build_generator
from ganglion.networks.r3gan import Residual
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe

BOTH = "generator", "discriminator"


def recipe(size: int = 32, **both: object) -> Recipe:
    settings: dict[str, object] = {"width": 8} | both
    return resolve("r3gan", {
        "data.size": size, "data.channels": 3, **{f"{p}.{key}": value for p in BOTH for key, value in settings.items()}
    })  # fmt: skip


def some(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def blocks(network: nn.Module) -> list[Residual]:
    return [layer for layer in network.modules() if isinstance(layer, Residual)]


def test_every_residual_block_begins_as_the_identity() -> None:
    for network in (build_generator(recipe()), build_discriminator(recipe())):
        for block in blocks(network):
            x = some(2, block.widen.in_channels, 4, 4)
            assert torch.equal(block(x), x)


@pytest.mark.parametrize("count", [1, 8])
def test_signals_keep_their_size_through_any_depth(count: int) -> None:
    """Off zero by a step's worth, deep networks neither explode nor fade: what Fixup is for."""
    network = build_discriminator(recipe(blocks=count))
    x, first = some(8, 3, 32, 32), None
    with torch.no_grad():
        for block in blocks(network):
            block.narrow.weight.add_(0.02 * some(*block.narrow.weight.shape))
        for block in list(network.blocks)[:-1]:
            x = block(x)
            first = first or float(x.std())
    assert first is not None
    assert 0.2 < float(x.std()) / first < 5


@pytest.mark.parametrize(("group", "groups"), [(4, [4, 4, 8, 8]), (16, [1, 1, 2, 2])])
def test_a_group_has_the_asked_number_of_feature_maps(group: int, groups: list[int]) -> None:
    network = build_discriminator(recipe(group=group))
    assert [block.mix.groups for block in blocks(network)][:4] == groups  # 8 and 16 maps, doubled inside a block


def test_a_group_that_does_not_divide_is_made_to() -> None:
    block = Residual(6, recipe(group=5).generator, total=4)  # type: ignore[arg-type]
    assert 12 % block.mix.groups == 0


def test_there_is_no_normalisation_anywhere() -> None:
    for network in (build_generator(recipe()), build_discriminator(recipe())):
        assert not [layer for layer in network.modules() if "Norm" in type(layer).__name__]


def test_the_first_images_are_neither_flat_nor_saturated() -> None:
    images = build_generator(recipe())(some(16, 64)).detach()
    assert float(images.std()) > 0.05
    assert float((images.abs() > 0.99).float().mean()) < 0.05
