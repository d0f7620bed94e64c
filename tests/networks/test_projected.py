from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, one_hot

from ganglion.networks.base import Discriminator
from ganglion.networks.build import build_discriminator, build_generator, cost_of
from ganglion.networks.projected import SCALES, Projection
from ganglion.networks.squeezenet import LAYERS
from ganglion.platform.interrupt import Interrupt
from ganglion.recipe.resolve import resolve, update
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress, restore, save_checkpoint
from ganglion.training.loop import train_loop
from ganglion.training.players import Players, build_players

pytestmark = pytest.mark.usefixtures("squeezenet")

CPU = torch.device("cpu")
CLASSES = {"data.conditional": True, "data.classes": ["a", "b", "c"], "data.class_counts": [5, 5, 5]}


def recipe(size: str = "32", **more: object) -> Recipe:
    small: dict[str, object] = {
        "data.size": size, "data.channels": 3, "generator.width": 4, "discriminator.width": 4, "latent.dim": 6,
        "training.minutes": None, "training.steps": 3, "training.batch": 4, "training.precision": "32",
    }  # fmt: skip
    return resolve("projected", small | {key.replace("__", "."): value for key, value in more.items()})


def conditional(size: str = "32", **more: object) -> Recipe:
    return update(recipe(size, **more), **{key.replace(".", "__"): value for key, value in CLASSES.items()})


def some(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).clamp(-1, 1)


def projection_of(network: Discriminator) -> Projection:
    found = network.blocks[0]
    assert isinstance(found, Projection)
    return found


class Images:
    """Images (N, 3, 32, 32) that follow from their place in the order."""

    device, images, labels = CPU, 100, None

    def take(self, first: int, count: int, part: slice = slice(None)) -> tuple[Tensor, None]:
        return some(count, 3, 32, 32, seed=first)[part], None


def trained(players: Players, settings: Recipe, progress: TrainingProgress | None = None) -> Players:
    fabric: Any = Fabric(accelerator="cpu", devices=1, precision="32-true")
    data: Any = Images()
    assert train_loop(fabric, settings, data, players, progress or TrainingProgress(), None, Interrupt())
    return players


@pytest.mark.parametrize(
    ("size", "scales", "places"), [("64", 3, 48), ("32", 3, 12), ("16", 3, 3), ("64x32", 2, 64), ("32", 1, 64)]
)
def test_d_has_a_logit_for_each_place_of_each_scale(size: str, scales: int, places: int) -> None:
    settings = recipe(size, discriminator__scales=scales)
    logits = build_discriminator(settings)(some(4, 3, *(settings.data.size or ())))
    assert logits.shape == (4, places)
    assert logits.isfinite().all()


def test_enlarged_images_have_more_places() -> None:
    network = build_discriminator(recipe("16", discriminator__enlarge=4))
    assert network(some(4, 3, 16, 16)).shape == (4, 48)
    assert network(some(4, 1, 16, 16)).shape == (4, 48)


def test_features_are_mixed_across_channels_and_then_from_coarse_to_fine() -> None:
    found = projection_of(build_discriminator(recipe()))
    images = some(2, 3, 32, 32)
    layers = dict(zip(LAYERS, found.network.features(images), strict=True))
    by_hand: list[Tensor] = []
    for number, name in reversed(list(enumerate(SCALES))):
        mixed = conv2d(layers[name] / SCALES[name], found.across_channels[number].weight)
        if by_hand:
            coarser = conv2d(by_hand[0], found.across_scales[number].weight, padding=1)
            mixed = mixed + interpolate(coarser, scale_factor=2, mode="bilinear")
        by_hand.insert(0, mixed)
    assert [maps.shape for maps in by_hand] == [(2, 4, 8, 8), (2, 4, 4, 4), (2, 4, 2, 2)]
    for ours, theirs in zip(found(images), by_hand, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4 * float(theirs.abs().max()))


def test_random_mixing_keeps_the_variance_and_follows_the_seed() -> None:
    first, again, other = (
        build_discriminator(recipe(discriminator__width=64, training__seed=seed)).state_dict() for seed in (0, 0, 1)
    )
    name = "blocks.0.across_scales.0.weight"
    assert torch.equal(first[name], again[name])
    assert not torch.equal(first[name], other[name])
    assert float(first[name].var() * first[name][0].numel()) == pytest.approx(1, abs=0.03)  # 36,864 numbers: 0.7 %


@pytest.mark.parametrize("make", [recipe, conditional])
@pytest.mark.parametrize("spectral", [True, False])
def test_gradients_reach_g_through_the_frozen_features_and_every_weight_of_the_heads(make: Any, spectral: bool) -> None:
    settings = make(discriminator__spectral_norm=spectral)
    g, d = build_generator(settings), build_discriminator(settings)
    labels = torch.tensor([0, 1, 2, 0]) if settings.data.conditional else None
    d(g(some(4, 6), labels), labels).square().sum().backward()
    for network in (g, d):
        assert [name for name, w in network.named_parameters() if w.grad is None or not w.grad.abs().sum() > 0] == []


def test_a_class_changes_the_logits() -> None:
    d = build_discriminator(conditional()).eval()
    zero, one = (d(some(4, 3, 32, 32), torch.full((4,), label)) for label in (0, 1))
    assert (zero - one).abs().min() > 1e-6
    with pytest.raises(ValueError, match="labels are given exactly where"):
        d(some(4, 3, 32, 32))


def test_a_class_is_a_condition_vector_with_one_1() -> None:
    d, images, labels = build_discriminator(conditional()).eval(), some(4, 3, 32, 32), torch.tensor([0, 2, 1, 1])
    assert torch.allclose(d(images, one_hot(labels, 3).float()), d(images, labels), atol=1e-5)
    columns = [{"name": "left", "kind": "yes-no"}, {"name": "hair", "kind": "class", "classes": ["a", "b"]}]
    d = build_discriminator(recipe(data__conditional=True, data__conditions=columns)).eval()
    yes, no = (d(images, torch.tensor([[value, 0, 1, 1.0]] * 4)) for value in (1, -1))
    assert (yes - no).abs().min() > 1e-6


def frozen_of(network: Discriminator) -> Iterator[tuple[str, Tensor]]:
    for name, buffer in projection_of(network).named_buffers():
        yield name, buffer.clone()


@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
def test_three_steps_change_both_players_and_nothing_that_is_frozen(order: str) -> None:
    settings = recipe(balance__updates=order)
    players = build_players(settings, CPU)
    frozen, before = dict(frozen_of(players.discriminator)), {n: t.clone() for n, t in players.state()}
    trained(players, settings)
    assert len(frozen) == 2 * 26 + 1 + 5
    assert all(torch.equal(now, frozen[name]) for name, now in projection_of(players.discriminator).named_buffers())
    changed = {name for name, tensor in players.state() if not torch.equal(tensor, before[name])}
    weights = {f"discriminator.{name}" for name, _ in players.discriminator.named_parameters()}
    weights -= {
        f"discriminator.head.{scale}.logits.bias" for scale in range(3)
    }  # reals and fakes cancel below the hinge
    assert changed >= weights | {f"generator.{name}" for name, _ in players.generator.named_parameters()}


def test_frozen_weights_are_in_no_checkpoint_and_no_optimiser() -> None:
    players = build_players(recipe(), CPU)
    state = players.discriminator.state_dict()
    assert not any("network" in name for name in state)
    in_optimiser = {id(weight) for group in players.optimizer_d.param_groups for weight in group["params"]}
    assert in_optimiser == {id(weight) for weight in players.discriminator.head.parameters()}


def test_one_stage_has_the_gradient_of_a_second_pass() -> None:
    """G's gradient from D's forward pass is that of G's loss through D itself, before D's update; without batch norm."""
    found = {}
    for order in ("simultaneous", "alternating"):
        settings = recipe(balance__updates=order, augment__kind="none", discriminator__norm="none", training__steps=1)
        settings = update(settings, optimizer__discriminator__lr=1e-12)
        players = build_players(settings, CPU)
        trained(players, settings)
        found[order] = torch.cat([weight.grad.flatten() for weight in players.generator.parameters()])  # type: ignore[union-attr]
    largest = float(found["alternating"].abs().max())
    assert largest > 0
    assert torch.allclose(
        found["simultaneous"], found["alternating"], rtol=1e-3, atol=1e-3 * largest
    )  # spectral norm moves


def test_a_run_in_two_sittings_ends_with_the_bits_of_one(tmp_path: Path) -> None:
    settings = recipe(optimizer__schedule="constant")
    whole = dict(trained(build_players(settings, CPU), settings).state())
    players, progress = build_players(settings, CPU), TrainingProgress()
    trained(players, update(settings, training__steps=1), progress)
    save_checkpoint(tmp_path, players.networks(), players.optimizers(), progress)
    again = build_players(settings, CPU)
    found = restore(tmp_path, again.networks(), again.optimizers(), lambda _: None)
    state = dict(trained(again, settings, found).state())
    assert [name for name, tensor in whole.items() if not torch.equal(tensor, state[name])] == []


def test_its_cost_is_counted_without_weights_and_fewer_scales_cost_less() -> None:
    costs = [cost_of(recipe("64", discriminator__scales=scales))[1] for scales in (1, 2, 3)]
    assert costs[0].flops < costs[1].flops < costs[2].flops
    assert costs[2].flops > 40e6
