from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ganglion.networks.build import build_discriminator, build_generator
from ganglion.networks.r3gan import Basis, Down, Residual, Up
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


def moved(block: Residual) -> Residual:
    """Off its first weights: the last convolution no longer 0, biases neither."""
    with torch.no_grad():
        for i, weight in enumerate(block.parameters()):
            weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(i)) / 3)
    return block


def by_hand(block: Residual, x: Tensor) -> Tensor:
    """x + 1x1(act(grouped 3x3(act(1x1 x)))): 1x1 convolutions are matrices over maps, a group sees its own maps alone."""
    inside = torch.einsum("om,nmhw->nohw", block.widen.weight[..., 0, 0], x) + block.widen.bias[:, None, None]
    inside = torch.where(inside > 0, inside, 0.2 * inside)
    size, groups = block.mix.weight.shape[1], block.mix.groups
    mixed = torch.cat([
        conv2d(inside[:, g * size : (g + 1) * size], block.mix.weight[g * size : (g + 1) * size], padding=1)
        for g in range(groups)
    ], 1) + block.mix.bias[:, None, None]  # fmt: skip
    mixed = torch.where(mixed > 0, mixed, 0.2 * mixed)
    return x + torch.einsum("om,nmhw->nohw", block.narrow.weight[..., 0, 0], mixed)


@pytest.mark.parametrize("group", [4, 16])
def test_a_residual_block_by_hand(group: int) -> None:
    block, x = moved(Residual(8, recipe(group=group).generator, total=4)), some(2, 8, 5, 4)  # type: ignore[arg-type]
    assert block.mix.groups == 16 // group
    assert block.narrow.bias is None
    with torch.no_grad():
        assert torch.allclose(block(x), by_hand(block, x), atol=1e-4)


def test_the_base_grid_is_the_basis_each_map_scaled_by_a_linear_layer_of_z() -> None:
    grid = Basis(3, 2, (4, 4))
    with torch.no_grad():
        grid.basis.copy_(some(2, 4, 4))
        z, weight = some(5, 3), grid.linear.weight
        expected = torch.stack([torch.stack([(weight[c] @ one) * grid.basis[c] for c in range(2)]) for one in z])
        assert torch.allclose(grid(z), expected, atol=1e-6)


def test_down_is_its_blocks_then_means_of_2x2_then_a_1x1_convolution_by_hand() -> None:
    down, x = Down(8, 4, recipe(blocks=1).discriminator, total=4), some(2, 8, 6, 4)  # type: ignore[arg-type]
    moved(down.blocks[0])
    with torch.no_grad():
        inner = by_hand(down.blocks[0], x)
        means = inner.reshape(2, 8, 3, 2, 2, 2).mean((3, 5))
        expected = torch.einsum("om,nmhw->nohw", down.change.weight[..., 0, 0], means)
        assert torch.allclose(down(x), expected, atol=1e-4)


def test_up_is_a_1x1_convolution_then_bilinear_doubling_then_its_blocks_by_hand() -> None:
    up, x = Up(4, 8, recipe(blocks=1).generator, total=4), some(2, 4, 3, 3)  # type: ignore[arg-type]
    moved(up.blocks[0])
    with torch.no_grad():
        changed = torch.einsum("om,nmhw->nohw", up.change.weight[..., 0, 0], x)
        padded = torch.nn.functional.pad(changed, (1, 1, 1, 1), mode="replicate")
        near, far = padded[:, :, 1:-1], torch.stack([padded[:, :, :-2], padded[:, :, 2:]], 3)  # above and below
        rows = (0.75 * near[:, :, :, None] + 0.25 * far).flatten(
            2, 3
        )  # halves of a pixel: three quarters to the nearer
        near, far = rows[..., 1:-1], torch.stack([rows[..., :-2], rows[..., 2:]], 4)
        doubled = (0.75 * near[..., None] + 0.25 * far).flatten(3, 4)
        assert torch.allclose(up(x, None), by_hand(up.blocks[0], doubled), atol=1e-4)


@pytest.mark.parametrize(("count", "total"), [(1, 4), (4, 16)])
def test_first_weights_inside_a_block_are_hes_times_fixups_power_of_the_depth(count: int, total: int) -> None:
    """Zhang et al. 2019, section 3, with three convolutions in a block: L**(-1/(2m - 2)) for m = 3 is L**(-1/4)."""
    found = blocks(build_discriminator(recipe(blocks=count, width=32)))
    assert len(found) == total
    for block in found:
        for convolution in (block.widen, block.mix):
            he = (2 / convolution.weight[0].numel()) ** 0.5
            assert float(convolution.weight.detach().std()) == pytest.approx(he * total**-0.25, rel=0.1)


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
