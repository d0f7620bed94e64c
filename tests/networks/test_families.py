"""What every family promises: shapes, ranges, gradients, classes, references. One table, all families."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganglion.networks.build import build_discriminator, build_generator, cost_of
from ganglion.networks.layers import REFERENCE
from ganglion.networks.sampling import generate
from ganglion.recipe.explain import keys_of_choice
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from ganglion.recipe.size import chain_to

FAMILIES = ["dcgan", "resnet", "r3gan", "skip"]
CONDITIONAL = [
    ("dcgan", "embedding"),
    ("dcgan", "norm"),
    ("resnet", "embedding"),
    ("resnet", "norm"),
    ("r3gan", "embedding"),
    ("skip", "embedding"),
    ("skip", "norm"),
]
"""R3GAN has no normalisation that a class could scale."""


def recipe(family: str, size: str = "16", channels: int = 3, conditioning: str = "none", **more: object) -> Recipe:
    """Of width 4, so that a network takes milliseconds."""
    changes: dict[str, object] = {
        "generator.family": family, "discriminator.family": family, "generator.width": 4, "discriminator.width": 4,
        "data.size": size, "data.channels": channels, "latent.dim": 6, "init.scheme": "kaiming",
    }  # fmt: skip
    if conditioning != "none":
        changes |= {"data.conditional": True, "data.classes": ["a", "b", "c"], "data.class_counts": [5, 5, 5]}
        known = keys_of_choice(Recipe, "generator", family)
        changes |= {"generator.conditioning": conditioning} if "conditioning" in known else {}
    return resolve("dcgan", changes | {key.replace("__", "."): value for key, value in more.items()})


def some(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def labels_for(settings: Recipe, n: int) -> Tensor | None:
    return torch.arange(n) % 3 if settings.data.conditional else None


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", ["16", "28", "48x32", "64x96"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_g_makes_images_of_the_asked_shape_and_d_a_logit_for_each(family: str, size: str, channels: int) -> None:
    settings = recipe(family, size, channels)
    images = build_generator(settings)(some(4, 6) * 5)
    assert images.shape == (4, channels, *(settings.data.size or ()))
    assert images.abs().max() <= 1
    logits = build_discriminator(settings)(images)
    assert logits.shape == (4,)
    assert logits.isfinite().all()


@pytest.mark.parametrize(("family", "conditioning"), [*CONDITIONAL, *((family, "none") for family in FAMILIES)])
def test_gradients_reach_every_weight_of_both_players(family: str, conditioning: str) -> None:
    settings = recipe(family, conditioning=conditioning)
    g, d = build_generator(settings), build_discriminator(settings)
    _nudge(g, d)
    labels = labels_for(settings, 6)
    d(g(some(6, 6), labels), labels).square().sum().backward()
    for network in (g, d):
        without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        assert without == []


def _nudge(*networks: nn.Module) -> None:
    """Off the first weights, of which some families set the last ones of a block to 0."""
    with torch.no_grad():
        for network in networks:
            for i, weight in enumerate(network.parameters()):
                weight += 0.05 * some(*weight.shape, seed=i)


@pytest.mark.parametrize(("family", "conditioning"), CONDITIONAL)
def test_a_class_changes_the_image_and_the_logit(family: str, conditioning: str) -> None:
    settings = recipe(family, conditioning=conditioning)
    g, d = build_generator(settings).eval(), build_discriminator(settings).eval()
    _nudge(g, d)
    z, first, second = some(4, 6), torch.zeros(4, dtype=torch.int64), torch.ones(4, dtype=torch.int64)
    assert (g(z, first) - g(z, second)).abs().amax((1, 2, 3)).min() > 1e-4
    x = some(4, 3, 16, 16)
    assert (d(x, first) - d(x, second)).abs().min() > 1e-5


@pytest.mark.parametrize(("family", "conditioning"), CONDITIONAL)
def test_a_class_is_a_condition_vector_with_one_1(family: str, conditioning: str) -> None:
    settings = recipe(family, conditioning=conditioning)
    g, d, labels = build_generator(settings), build_discriminator(settings), labels_for(settings, 6)
    assert labels is not None
    with torch.no_grad():
        for name, weight in g.named_parameters():
            if name.endswith(("scale", "shift")):
                weight.add_(some(*weight.shape))
    z, vectors = some(6, 6), one_hot(labels, 3).float()
    images = g(z, labels)
    assert torch.allclose(g(z, vectors), images, atol=1e-5)
    assert torch.allclose(d(images, vectors), d(images, labels), atol=1e-5)
    assert not torch.allclose(g(z, vectors / 2), images, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_d_sees_where_the_attributes_of_a_condition_vector_are(family: str) -> None:
    columns = [{"name": "left", "kind": "yes-no"}]
    d = build_discriminator(recipe(family, data__conditional=True, data__conditions=columns))
    images = some(3, 3, 16, 16)
    maps, places = list(d.features(images))[-1].shape[1:2], list(d.features(images))[-1][0, 0].numel()
    assert d.head.projection.weight.shape == (2, maps[0] * (1 if d.head.pooled else places))
    left, right = (d(images, torch.tensor([[side, 1.0]] * 3)) for side in (1, -1))
    assert not torch.allclose(left, right)
    assert torch.allclose((left + right) / 2, d(images, torch.tensor([[0.0, 1]] * 3)), atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_are_given_exactly_where_there_are_classes(family: str) -> None:
    plain, by_class = recipe(family), recipe(family, conditioning="embedding")
    for settings, labels in ((plain, torch.zeros(2, dtype=torch.int64)), (by_class, None)):
        with pytest.raises(ValueError, match="labels are given exactly where"):
            build_generator(settings)(some(2, 6), labels)
        with pytest.raises(ValueError, match="labels are given exactly where"):
            build_discriminator(settings)(some(2, 3, 16, 16), labels)


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_seeds_give_equal_first_weights_and_others_do_not(family: str) -> None:
    before = torch.random.get_rng_state()
    for build in (build_generator, build_discriminator):
        first, again, other = (build(recipe(family, training__seed=seed)).state_dict() for seed in (0, 0, 1))
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert any(not torch.equal(first[name], other[name]) for name in first)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_image_does_not_depend_on_what_is_drawn_along_with_it(family: str) -> None:
    settings = recipe(family, conditioning="embedding")
    g = build_generator(settings).eval()
    z, labels = some(20, 6), labels_for(settings, 20)
    assert labels is not None
    assert torch.equal(generate(g, z, labels)[17:], generate(g, z[17:], labels[17:]))


@pytest.mark.parametrize("family", ["dcgan", "resnet"])
@pytest.mark.parametrize("conditioning", ["none", "embedding", "norm"])
def test_virtual_batch_norm_measures_an_image_against_the_reference_alone(family: str, conditioning: str) -> None:
    settings = recipe(
        family, conditioning=conditioning, generator__norm="virtual-batch", discriminator__norm="virtual-batch"
    )
    g, d, labels = build_generator(settings), build_discriminator(settings), labels_for(settings, 4)
    first = None if labels is None else labels[:1]
    assert g.reference is not None
    assert len(g.reference) == REFERENCE
    z = some(4, 6)
    assert torch.allclose(g(z, labels)[:1], g(z[:1], first), atol=1e-5)
    d.reference = some(REFERENCE, 3, 16, 16)
    x = some(4, 3, 16, 16, seed=1)
    assert torch.allclose(d(x, labels)[:1], d(x[:1], first), atol=1e-5)
    logits, features = d.trace(x, labels)
    assert len(logits) == len(features) == 4


@pytest.mark.parametrize("conditioning", ["embedding", "norm"])
def test_under_virtual_batch_norm_the_reference_has_all_classes_and_an_image_its_own(conditioning: str) -> None:
    settings = recipe("dcgan", conditioning=conditioning, generator__norm="virtual-batch")
    g = build_generator(settings)
    assert g.reference_labels is not None
    assert set(g.reference_labels.tolist()) == {0, 1, 2}
    if conditioning == "norm":
        with torch.no_grad():
            for block in g.blocks:
                block.norm.shift.copy_(torch.arange(3.0)[:, None])
    z = some(1, 6)
    assert not torch.allclose(g(z, torch.tensor([0])), g(z, torch.tensor([2])), atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", ["16", "48x32", "128"])
def test_a_recipe_knows_how_many_blocks_its_d_has(family: str, size: str) -> None:
    settings = recipe(family, size)
    chain = chain_to(settings.data.size or (0, 0))
    assert chain is not None
    assert settings.discriminator.block_count(chain.doublings) == len(build_discriminator(settings).blocks)


@pytest.mark.parametrize("family", ["dcgan", "resnet"])
def test_spectral_normalisation_brings_every_layers_largest_singular_value_to_1(family: str) -> None:
    settings = recipe(family, discriminator__spectral_norm=True, discriminator__norm="none", conditioning="embedding")
    d = build_discriminator(settings)
    for _ in range(30):
        d(some(2, 3, 16, 16), torch.tensor([0, 1]))
    layers = [layer for layer in d.modules() if hasattr(layer, "parametrizations")]
    assert len(layers) >= 4
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        assert largest.item() == pytest.approx(1, rel=0.05)


def test_spectral_normalisation_is_reproducible_and_its_cost_can_be_counted() -> None:
    settings = recipe("resnet", discriminator__spectral_norm=True, discriminator__norm="none")
    first, again = (build_discriminator(settings).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    plain = recipe("resnet", discriminator__norm="none")
    assert cost_of(settings)[1].parameters == cost_of(plain)[1].parameters


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("minibatch", ["discrimination", "stddev"])
def test_d_can_be_told_of_the_rest_of_its_batch(family: str, minibatch: str) -> None:
    more = {"discriminator.norm": "none"} if "norm" in keys_of_choice(Recipe, "discriminator", family) else {}
    d = build_discriminator(recipe(family, discriminator__minibatch=minibatch, **more)).eval()
    _nudge(d)
    x = some(4, 3, 16, 16)
    same = x[:1].expand(4, -1, -1, -1)
    assert not torch.allclose(d(x)[0], d(same)[0], atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("conditioning", ["none", "embedding"])
def test_costs_are_counted_without_computing(family: str, conditioning: str) -> None:
    g, d = cost_of(recipe(family, conditioning=conditioning))
    assert g.parameters == sum(
        p.numel() for p in build_generator(recipe(family, conditioning=conditioning)).parameters()
    )
    assert g.flops > 0
    assert d.flops > 0
