from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganglion.networks.build import build_discriminator, build_generator
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from ganglion.runs.transfer import Alignment, ClassRows, Pieces, filled, match, part_of, weights_taken

UNCONDITIONAL = ClassRows.of((), ())


def recipe(family: str = "dcgan", size: int = 16, classes: tuple[str, ...] = (), **settings: object) -> Recipe:
    parts = {"generator.family": family, "discriminator.family": family, "generator.width": 2, "discriminator.width": 2}
    data = {"data.size": size, "data.channels": 1, "latent.dim": 6}
    known = (
        {"data.conditional": True, "data.classes": classes, "data.class_counts": [9] * len(classes)} if classes else {}
    )
    return resolve("dcgan", parts | data | known | {key.replace("__", "."): value for key, value in settings.items()})


def trained(network: nn.Module) -> dict[str, Tensor]:
    """Tensors that none of its first ones equals."""
    random = torch.Generator().manual_seed(1)
    return {
        name: torch.randn(tensor.shape, generator=random) if tensor.is_floating_point() else tensor + 7
        for name, tensor in network.state_dict().items()
    }


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def new_parts(network: nn.Module, pieces: Pieces) -> set[str]:
    return {part_of(name) for name in network.state_dict() if name not in pieces}


@pytest.mark.parametrize("family", ["dcgan", "resnet", "r3gan"])
@pytest.mark.parametrize("build", [build_generator, build_discriminator])
def test_a_network_of_the_same_recipe_takes_over_every_tensor(family, build):
    network = build(recipe(family))
    old = trained(network)
    pieces, alignment = match(network, old, UNCONDITIONAL, (6, 6))
    assert equal(filled(network.state_dict(), old, pieces), old)
    assert weights_taken(network, old, pieces) == sum(weight.numel() for weight in network.parameters())
    assert alignment.text() == ""


def test_spectral_norm_and_running_statistics_go_with_their_layer():
    spectral = {"discriminator__spectral_norm": True, "discriminator__norm": "batch"}
    network = build_discriminator(recipe(size=32, **spectral))
    old = trained(build_discriminator(recipe(size=16, **spectral)))
    pieces, _ = match(network, old, UNCONDITIONAL)
    assert not any(name.startswith("head") for name in pieces)  # its weight has another shape, so its bias stays too
    assert {
        "blocks.1.convolution.parametrizations.weight.0._u",
        "blocks.1.norm.norm.num_batches_tracked",
    } <= pieces.keys()
    assert not any(name.startswith("blocks.2") for name in pieces)


def test_statistics_of_another_width_stay_behind_with_their_counter():
    network = build_generator(recipe(generator__width=4))
    pieces, _ = match(network, trained(build_generator(recipe())), UNCONDITIONAL, (6, 6))
    assert not any("norm" in name for name in pieces)


def test_a_larger_generator_keeps_its_last_blocks_where_widths_double_towards_the_base():
    network, old = build_generator(recipe(size=32)), trained(build_generator(recipe(size=16)))
    pieces, alignment = match(network, old, UNCONDITIONAL, (6, 6))
    assert alignment == Alignment(3, 2, 0)
    assert alignment.text() == "1 block more: blocks.0 is new"
    assert pieces["blocks.2.convolution.weight"].old == "blocks.1.convolution.weight"
    assert new_parts(network, pieces) == {"stem", "blocks.0"}


def test_a_larger_discriminator_keeps_its_first_blocks():
    network, old = build_discriminator(recipe(size=64)), trained(build_discriminator(recipe(size=16)))
    pieces, alignment = match(network, old, UNCONDITIONAL)
    assert alignment.text() == "2 blocks more: blocks.2 to blocks.3 are new"
    assert pieces["blocks.1.convolution.weight"].old == "blocks.1.convolution.weight"


def test_where_widths_do_not_change_both_ends_are_kept_and_new_blocks_stand_nearest_to_the_image():
    """From 64 pixels on r3gan's width has come to its bound at the base."""
    for build, latents in ((build_generator, (6, 6)), (build_discriminator, (0, 0))):
        network, old = build(recipe("r3gan", 128)), trained(build(recipe("r3gan", 64)))
        pieces, alignment = match(network, old, UNCONDITIONAL, latents)
        assert {piece.old for piece in pieces.values()} == old.keys()
        assert new_parts(network, pieces) == {
            "blocks.3"
        }  # three of G's blocks before it, and D's first three, have no equal
        assert alignment.place == 3


def test_a_smaller_size_leaves_blocks_out():
    network, old = build_generator(recipe(size=16)), trained(build_generator(recipe(size=32)))
    pieces, alignment = match(network, old, UNCONDITIONAL, (6, 6))
    assert alignment.text() == "1 block fewer: its blocks.0 is left out"
    assert new_parts(network, pieces) == {"stem"}


def test_of_another_width_only_layers_of_equal_shape_are_taken_over():
    network, old = build_discriminator(recipe(discriminator__width=4)), trained(build_discriminator(recipe()))
    pieces, _ = match(network, old, UNCONDITIONAL)
    assert not pieces
    pieces, _ = match(build_discriminator(recipe("r3gan", 16, discriminator__blocks=1)), old, UNCONDITIONAL)
    assert not pieces


def test_rows_of_classes_are_found_by_name():
    here, there = ("b", "c", "a"), ("a", "b")
    rows = ClassRows.of(here, there)
    network = build_discriminator(recipe(classes=here))
    old = trained(build_discriminator(recipe(classes=there)))
    before = network.state_dict()["head.projection.weight"].clone()
    pieces, _ = match(network, old, rows)
    after = filled(network.state_dict(), old, pieces)["head.projection.weight"]
    assert torch.equal(after[[2, 0]], old["head.projection.weight"][[0, 1]])
    assert torch.equal(after[1], before[1])
    assert not pieces["head.projection.weight"].whole


def test_classes_of_equal_number_and_other_names_do_not_get_each_others_vectors():
    network = build_discriminator(recipe(classes=("x", "y")))
    old = trained(build_discriminator(recipe(classes=("a", "b"))))
    pieces, _ = match(network, old, ClassRows.of(("x", "y"), ("a", "b")))
    assert "head.projection.weight" not in pieces
    assert "head.linear.weight" in pieces


@pytest.mark.parametrize("family", ["dcgan", "resnet", "r3gan"])
def test_a_generator_with_more_classes_draws_the_old_ones_as_before(family):
    """A class vector is as long as there are classes, so that the stem's input grows too."""
    here, there = ("new", "a", "b"), ("a", "b")
    network, before = build_generator(recipe(family, classes=here)), build_generator(recipe(family, classes=there))
    old = {name: tensor / 3 if tensor.is_floating_point() else tensor for name, tensor in trained(before).items()}
    old |= {name: tensor.abs() for name, tensor in old.items() if name.endswith("running_var")}
    before.load_state_dict(old)
    pieces, _ = match(network, old, ClassRows.of(here, there), (6, 6))
    network.load_state_dict(filled(network.state_dict(), old, pieces))
    z, labels = torch.randn(8, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1] * 4)
    with torch.no_grad():
        expected, got = before.eval()(z, labels), network.eval()(z, labels + 1)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 0.05


def test_a_conditional_generator_takes_over_how_an_unconditional_one_uses_z():
    network, old = build_generator(recipe(classes=("a", "b"))), trained(build_generator(recipe()))
    pieces, _ = match(network, old, ClassRows.of(("a", "b"), ()), (6, 6))
    assert pieces["stem.linear.weight"].columns == 6
    stem = filled(network.state_dict(), old, pieces)["stem.linear.weight"]
    assert torch.equal(stem[:, :6], old["stem.linear.weight"])
    assert torch.equal(stem[:, 6:], network.state_dict()["stem.linear.weight"][:, 6:])


def test_latents_of_another_length_leave_the_stem_as_drawn():
    network, old = build_generator(recipe(latent__dim=9)), trained(build_generator(recipe()))
    pieces, _ = match(network, old, UNCONDITIONAL, (9, 6))
    assert new_parts(network, pieces) == {"stem"}


def test_nothing_given_is_changed():
    network = build_generator(recipe())
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    old = trained(network)
    kept = {name: tensor.clone() for name, tensor in old.items()}
    pieces, _ = match(network, old, UNCONDITIONAL, (6, 6))
    filled(network.state_dict(), old, pieces)
    assert equal(network.state_dict(), own)
    assert equal(old, kept)
