"""Micro-batches against the whole batch: the same gradients, weights, statistics and random draws, in less memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ganglion.data.batches import Batch
from ganglion.networks.layers import MinibatchStddev
from ganglion.objectives.adversarial import AdversarialLoss
from ganglion.platform.interrupt import Interrupt
from ganglion.recipe.resolve import preset_names, resolve, update
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress, restore, save_checkpoint
from ganglion.training.loop import train_loop
from ganglion.training.micro_batches import Parts, in_parts, mean_in_parts
from ganglion.training.own import Own
from ganglion.training.players import Players, build_players
from gaussian_mixtures import PLANES, PlaneBatches

CPU = torch.device("cpu")
BATCH, PART, STEPS = 8, 3, 3
PRESETS = [name for name in preset_names() if name != "auto"]
ONE_BY_ONE = {"generator.norm": "layer", "discriminator.norm": "layer", "discriminator.minibatch": "none"}
"""Layers that treat each image by itself."""


def recipe(preset: str, micro_batch: int | None, changes: dict[str, object], precision: str = "32") -> Recipe:
    small = {
        "generator.width": 4, "discriminator.width": 4, "latent.dim": 8, "data.size": 16, "data.channels": 3,
        "training.kimg": None, "training.minutes": None, "training.steps": STEPS, "training.batch": BATCH,
        "training.precision": precision, "training.tick_kimg": 100, "training.micro_batch": micro_batch,
        "optimizer.generator.eps": 1e-3, "optimizer.discriminator.eps": 1e-3,
    }  # fmt: skip
    if preset == "r3gan":
        small |= {"generator.group": 4, "discriminator.group": 4}
    unknown = {"r3gan": "norm", "fastgan": "discriminator.minibatch"}.get(preset, "-")
    family = {key: value for key, value in changes.items() if not key.endswith(unknown)}
    return resolve(preset, small | family)


class Noise(PlaneBatches):
    """Images (N, 3, 16, 16) that follow from their place in the order."""

    def __init__(self) -> None:
        super().__init__(PLANES["ring8"], 0)

    def take(self, first: int, count: int, part: slice = slice(None)) -> Batch:
        images = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(first)) * 2 - 1
        return Batch(images[part], None)


class Trained:
    """What a short training left: gradients at each update, and all tensors."""

    def __init__(self, settings: Recipe, players: Players | None = None, own: Own = Own()) -> None:  # noqa: B008
        self.players = players or build_players(settings, CPU)
        self.gradients: list[dict[str, Tensor]] = []
        for name in ("discriminator", "generator"):
            network, optimizer = getattr(self.players, name), self.players.optimizers()[name]
            optimizer.register_step_pre_hook(self._noting(name, network))
        precision: Any = "bf16-mixed" if settings.training.precision == "bf16" else "32-true"
        fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
        assert train_loop(fabric, settings, Noise(), self.players, TrainingProgress(), None, Interrupt(), own=own)
        self.state = {name: tensor.clone() for name, tensor in self.players.state()}

    def _noting(self, player: str, network: nn.Module) -> Callable[..., None]:
        def note(*_: object) -> None:
            found = {f"{player}.{name}": weight.grad for name, weight in network.named_parameters()}
            self.gradients.append({name: g.clone() for name, g in found.items() if g is not None})

        return note


def assert_the_same(whole: Trained, split: Trained) -> None:
    """Gradients of each player's first update to 1e-4 of the largest of their tensor, weights after the steps to 1e-4.

    float32 has 1e-7; sums over some 10,000 terms in another order lose two or three digits of it. Where terms cancel
    (the bias of a relativistic D), only rounding is left; with eps 1e-3 Adam does not divide that by its own size.
    """
    seen = set()
    for ours, theirs in zip(whole.gradients, split.gradients, strict=True):
        player = next(iter(ours)).partition(".")[0]
        assert ours.keys() == theirs.keys()
        for name, gradient in ours.items() if player not in seen else ():
            close(name, theirs[name], gradient, 0, 1e-4 * float(gradient.abs().max()) + 1e-6)
        seen.add(player)
    assert seen == {"generator", "discriminator"}
    for name, tensor in whole.state.items():
        close(name, split.state[name], tensor, 1e-4, 1e-5)


def close(name: str, found: Tensor, expected: Tensor, rtol: float, atol: float) -> None:
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol, msg=lambda text: f"{name}: {text}")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_step_in_micro_batches_has_the_gradients_and_weights_of_the_whole_batch(preset: str) -> None:
    whole, split = (Trained(recipe(preset, part, ONE_BY_ONE)) for part in (None, PART))
    assert_the_same(whole, split)


def alone_sees_all(real: Tensor, fake: Tensor) -> Tensor:
    """A loss of one's own that compares every real image with every fake one."""
    return (fake[None] - real[:, None]).exp().mean()


ALL_PAIRS = AdversarialLoss(alone_sees_all, lambda real, fake: -alone_sees_all(real, fake), generator_needs_real=True)
SPANNING: dict[str, dict[str, object]] = {
    "relativistic-average": {"objective.adversarial": "relativistic-average"},
    "own loss": {"objective.adversarial": "custom", "objective.custom_loss": ALL_PAIRS.traits.model_dump()},
    "lecam": {"objective.penalties": [{"kind": "lecam", "weight": 1.0}, {"kind": "dragan", "interval_updates": 2}]},
    "ada": {"augment.kind": "ada", "augment.target": -0.9, "augment.speed_kimg": 0.05, "augment.flip": True},
    "diffaugment": {"augment.kind": "diffaugment", "objective.instance_noise": {"std": 0.2}, "balance.d_steps": 2},
    "turns": {"balance.g_steps": 2, "objective.penalties": [{"kind": "wgan-lp"}, {"kind": "wgan-gp"}]},
    "pauses": {"balance.pause_above_auc": 0.501},
    "one stage": {"balance.updates": "simultaneous", "augment.kind": "diffaugment"},
    "one stage, r1 and r2": {
        "balance.updates": "simultaneous",
        "objective.penalties": [{"kind": "r1"}, {"kind": "r2"}],
    },
    "features": {"objective.feature_matching": {"weight": 1.0, "layer": 0}, "objective.adversarial_weight": 0},
}


@pytest.mark.parametrize("what", SPANNING)
def test_what_compares_all_images_or_draws_at_random_is_that_of_the_whole_batch(what: str) -> None:
    own = Own(adversarial=ALL_PAIRS if what == "own loss" else None)
    bare = ONE_BY_ONE | {"generator.norm": "none", "discriminator.norm": "none", "init.scheme": "kaiming"}
    whole, split = (Trained(recipe("dcgan", part, bare | SPANNING[what]), own=own) for part in (None, PART))
    if what == "pauses":
        assert len(whole.gradients) < 2 * STEPS
    assert_the_same(whole, split)


def test_groups_of_the_minibatch_deviation_are_those_of_the_batch_where_four_divides_a_part() -> None:
    layer, x = MinibatchStddev(), torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    parts = Parts(8, 4).slices
    assert [layer(x[part]).tolist() for part in parts] == [layer(x)[part].tolist() for part in parts]


@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("preset", ["dcgan", "fast"])
def test_with_batch_norm_a_step_stays_near_that_of_the_whole_batch(preset: str, precision: str) -> None:
    """Statistics of 4 images in place of 8, so only the size of G's first gradient is compared, within a factor of two."""
    whole, split = (Trained(recipe(preset, part, {}, precision)) for part in (None, 4))
    for ours, theirs in zip(whole.gradients, split.gradients, strict=True):
        sizes = [torch.cat([g.flatten() for g in one.values()]).norm() for one in (ours, theirs)]
        assert 0.5 < float(sizes[0] / sizes[1]) < 2


def test_batch_norm_remembers_the_mean_over_its_parts_and_counts_one_pass() -> None:
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    whole, split = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    whole(x)
    (out,) = in_parts(split, lambda rows: (split(rows),), 3, x)
    torch.testing.assert_close(split.running_mean, whole.running_mean)
    before = [buffer.clone() for buffer in split.buffers()]
    out.square().sum().backward()  # makes each part again
    assert all(torch.equal(a, b) for a, b in zip(before, split.buffers(), strict=True))
    assert int(split.num_batches_tracked) == 1


def test_what_is_drawn_at_random_in_a_network_is_drawn_again_for_its_gradient() -> None:
    network, x = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)), torch.randn(6, 4)
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(4))
        network[0].bias.zero_()
    x.requires_grad_(True)
    (out,) = in_parts(network, lambda rows: (network(rows),), 2, x)
    state = torch.get_rng_state()
    out.sum().backward()
    torch.testing.assert_close(x.grad * x.detach(), out.detach())  # the gradient is 0 or 2, as the factor was
    assert 0 < int((out == 0).sum()) < out.numel()
    assert torch.equal(torch.get_rng_state(), state)


def test_no_more_images_than_asked_go_through_a_network_at_once() -> None:
    settings = recipe("r3gan", PART, {})
    players, sizes = build_players(settings, CPU), []
    for network in (players.generator, players.discriminator):
        network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    Trained(settings, players)
    assert set(sizes) == {2, 3}


def test_weights_that_change_between_the_passes_are_refused() -> None:
    network = nn.Linear(2, 1)
    (out,) = in_parts(network, lambda rows: (network(rows),), 2, torch.ones(4, 2))
    with torch.no_grad():
        network.weight += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


def test_a_frozen_network_passes_gradients_on_and_gets_none() -> None:
    network, x = nn.Linear(3, 1), torch.randn(5, 3, requires_grad=True)
    network.requires_grad_(False)
    (out,) = in_parts(network, lambda rows: (network(rows),), 2, x)
    out.sum().backward()
    torch.testing.assert_close(x.grad, network.weight.expand(5, 3))
    assert network.weight.grad is None


def test_a_mean_that_contains_a_gradient_has_the_gradient_of_the_whole() -> None:
    """E[|grad D|^2] of D(x) = sum of tanh(W x)."""
    network, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh()).double(), torch.randn(5, 3, dtype=torch.float64)

    def slopes(rows: Tensor, _labels: Tensor | None = None) -> Tensor:
        rows = rows.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(network(rows).sum(), rows, create_graph=True)
        return slope.square().sum(1)

    expected = torch.autograd.grad(slopes(x).mean(), list(network.parameters()), allow_unused=True)
    value = mean_in_parts(network, slopes, 2, x, None)
    torch.testing.assert_close(value, slopes(x).mean())
    (3 * value).backward()
    for weight, gradient in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, 3 * (torch.zeros_like(weight) if gradient is None else gradient))


@pytest.mark.parametrize(
    ("images", "most", "sizes"), [(64, 64, [64]), (64, 24, [22, 21, 21]), (5, 2, [2, 2, 1]), (8, None, [8])]
)
def test_parts_are_nearly_equal_and_hold_every_image_once(images: int, most: int | None, sizes: list[int]) -> None:
    parts = Parts(images, most)
    assert parts.sizes == sizes
    assert sorted(i for part in parts.slices for i in range(images)[part]) == list(range(images))


def test_a_run_in_micro_batches_in_two_sittings_ends_with_the_bits_of_one(tmp_path: Path) -> None:
    settings = recipe("fast", PART, {"augment.kind": "diffaugment", "optimizer.schedule": "constant"})
    whole, fabric = Trained(settings), Fabric(accelerator="cpu", devices=1)
    players, progress = build_players(settings, CPU), TrainingProgress()
    train_loop(fabric, update(settings, training__steps=1), Noise(), players, progress, None, Interrupt())
    save_checkpoint(tmp_path, players.networks(), players.optimizers(), progress)
    again = build_players(settings, CPU)
    found = restore(tmp_path, again.networks(), again.optimizers(), lambda _: None)
    assert found
    train_loop(fabric, settings, Noise(), again, found, None, Interrupt())
    state = dict(again.state())
    assert [name for name, tensor in whole.state.items() if not torch.equal(tensor, state[name])] == []
