import numpy as np
import pytest
import torch
from torch import nn

from ganglion.objectives.adversarial import ADVERSARIAL
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Ema
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.players import (
    OPTIMIZERS,
    Players,
    build_players,
    decay,
    ema_of,
    frozen,
    update_ema,
)


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).train()


def disturb(generator: nn.Module, random: torch.Generator) -> None:
    """What a step of training does: other weights, other batch statistics, one count more."""
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=random))
    generator(torch.randn(4, 2, 6, 6, generator=random))


def floats(of: nn.Module) -> dict[str, np.ndarray]:
    return {name: t.double().numpy().copy() for name, t in of.state_dict().items() if t.is_floating_point()}


@pytest.mark.parametrize("batch", [1, 64, 1000])
def test_half_of_the_average_survives_a_half_life(batch):
    assert decay(Ema(halflife_kimg=1, rampup_ratio=None), 10**6, batch) ** (1000 / batch) == pytest.approx(
        0.5, rel=1e-12
    )


def test_a_step_of_two_batches_equals_two_steps_of_one():
    settings = Ema(halflife_kimg=10, rampup_ratio=None)
    assert decay(settings, 10**6, 128) == pytest.approx(decay(settings, 10**6, 64) ** 2, rel=1e-12)


@pytest.mark.parametrize(("images", "halflife"), [(64, 3.2), (1000, 50), (200_000, 10_000), (10**7, 10_000)])
def test_the_half_life_is_at_most_its_share_of_the_images_seen(images, halflife):
    assert decay(Ema(halflife_kimg=10, rampup_ratio=0.05), images, 64) == pytest.approx(
        0.5 ** (64 / halflife), rel=1e-12
    )


@pytest.mark.parametrize("rampup_ratio", [None, 0.05])
def test_without_a_half_life_nothing_of_the_average_survives(rampup_ratio):
    assert decay(Ema(halflife_kimg=0, rampup_ratio=rampup_ratio), 1000, 64) == 0


def test_the_average_is_that_of_a_float64_computation_by_hand():
    generator, random = network(), torch.Generator().manual_seed(0)
    ema = ema_of(generator)
    expected = floats(ema)
    for kept in (0.5, 0.9, 0.99, 0.0, 0.7, 0.999):
        disturb(generator, random)
        update_ema(ema, generator, kept)
        expected = {name: kept * expected[name] + (1 - kept) * now for name, now in floats(generator).items()}
    for name, found in floats(ema).items():
        assert np.allclose(found, expected[name], rtol=1e-5, atol=1e-6), name  # float32 over six steps


def test_batch_norm_statistics_are_averaged_and_counters_are_copied():
    generator = network()
    ema = ema_of(generator)
    for _ in range(3):
        disturb(generator, torch.Generator().manual_seed(0))
    before, now = ema[1].running_var.clone(), generator[1].running_var
    update_ema(ema, generator, 0.75)
    assert torch.allclose(ema[1].running_var, 0.75 * before + 0.25 * now)
    assert not torch.allclose(before, now)
    assert ema[1].num_batches_tracked.item() == 3


def test_where_nothing_is_kept_the_average_is_the_generator_bit_for_bit():
    generator = network()
    ema = ema_of(generator)
    disturb(generator, torch.Generator().manual_seed(0))
    update_ema(ema, generator, 0.0)
    state = generator.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in ema.state_dict().items())


def test_the_average_stays_frozen_and_in_eval_mode_while_the_generator_trains():
    generator = network()
    ema = ema_of(generator)
    disturb(generator, torch.Generator().manual_seed(0))
    update_ema(ema, generator, 0.5)
    assert not any(module.training for module in ema.modules())
    assert not any(p.requires_grad for p in ema.parameters())
    assert all(module.training for module in generator.modules())
    assert all(p.requires_grad for p in generator.parameters())


def test_average_and_generator_share_no_memory():
    generator = network()
    ema = ema_of(generator)
    before = floats(ema)
    disturb(generator, torch.Generator().manual_seed(0))
    assert all(np.array_equal(before[name], now) for name, now in floats(ema).items())


def test_updating_the_average_does_not_change_the_generator():
    generator = network()
    ema = ema_of(generator)
    disturb(generator, torch.Generator().manual_seed(0))
    before = floats(generator)
    update_ema(ema, generator, 0.5)
    assert all(np.array_equal(before[name], now) for name, now in floats(generator).items())


SMALL = {
    "data.size": 16, "data.channels": 1, "latent.dim": 8, "generator.width": 4, "discriminator.width": 4,
    "optimizer.generator.lr": 1e-4, "optimizer.discriminator.lr": 3e-4, "optimizer.generator.beta1": 0.1,
}  # fmt: skip


@pytest.fixture
def players() -> Players:
    return build_players(resolve("dcgan", SMALL), torch.device("cpu"))


def weights(network: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in network.parameters()]


def equal(before: list[torch.Tensor], network: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def loss_of_g(players: Players, name: str) -> torch.Tensor:
    z, real = torch.ones(4, 8) * torch.arange(4).view(4, 1), torch.zeros(4, 1, 16, 16)
    judged = players.discriminator(players.generator(z))
    return ADVERSARIAL[name].generator(players.discriminator(real).detach(), judged)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_the_g_phase_gives_gradients_to_g_and_none_to_a_frozen_d(players, name):
    with frozen(players.discriminator):
        loss_of_g(players, name).backward()
    assert all(p.grad is None for p in players.discriminator.parameters())
    assert all(p.grad is not None for p in players.generator.parameters())
    assert sum(p.grad.abs().sum() for p in players.generator.parameters()) > 0


def test_without_freezing_the_g_phase_would_give_gradients_to_d(players):
    loss_of_g(players, "non-saturating").backward()
    assert all(p.grad is not None for p in players.discriminator.parameters())


def test_gradients_are_computed_again_after_freezing(players):
    with frozen(players.discriminator):
        assert not any(p.requires_grad for p in players.discriminator.parameters())
    assert all(p.requires_grad for p in players.discriminator.parameters())


def test_gradients_are_computed_again_after_an_exception(players):
    with pytest.raises(ZeroDivisionError), frozen(players.discriminator):
        raise ZeroDivisionError
    assert all(p.requires_grad for p in players.discriminator.parameters())


def test_gs_optimiser_moves_g_alone_and_ds_moves_d_alone(players):
    loss_of_g(players, "non-saturating").backward()
    g, d, ema = weights(players.generator), weights(players.discriminator), weights(players.ema)
    players.optimizer_g.step()
    assert (equal(g, players.generator), equal(d, players.discriminator), equal(ema, players.ema)) == (
        False,
        True,
        True,
    )
    g = weights(players.generator)
    players.optimizer_d.step()
    assert (equal(g, players.generator), equal(d, players.discriminator), equal(ema, players.ema)) == (
        True,
        False,
        True,
    )


def test_each_optimiser_has_its_own_settings(players):
    g, d = players.optimizer_g.param_groups[0], players.optimizer_d.param_groups[0]
    assert (g["lr"], g["betas"], d["lr"], d["betas"]) == (1e-4, (0.1, 0.999), 3e-4, (0.5, 0.999))


def test_the_average_begins_as_the_generator_frozen_and_in_eval_mode(players):
    assert equal(weights(players.generator), players.ema)
    assert not players.ema.training
    assert not any(p.requires_grad for p in players.ema.parameters())


def test_the_state_names_every_tensor_of_networks_and_running_stats_once(players):
    names = [name for name, _ in players.state()]
    assert len(names) == len(set(names)) == sum(len(n.state_dict()) for n in players.networks().values())
    assert {name.partition(".")[0] for name in names} == {"generator", "ema", "discriminator", "running_stats"}


def test_an_adam_step_is_that_of_the_papers_formula(players):
    """The first step of Adam moves every weight by lr * g / (|g| + eps), whatever the size of g."""
    before = weights(players.discriminator)
    loss_of_g(players, "non-saturating").backward()
    players.optimizer_d.step()
    for old, new in zip(before, players.discriminator.parameters(), strict=True):
        by_hand = old - 3e-4 * new.grad / (new.grad.abs() + 1e-8)
        assert torch.allclose(new, by_hand, atol=1e-7)


def stepped_by_hand(algorithm: str, weight: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    """The first step of each algorithm in its authors' formula, at a rate of 0.1."""
    if algorithm == "rmsprop":  # the mean square begins at 0
        return weight - 0.1 * slope / ((0.1 * slope.square()).sqrt() + 1e-8)
    decayed = weight * (1 - 0.1 * 0.2) if algorithm == "adamw" else weight
    return decayed - 0.1 * slope / (slope.abs() + 1e-8)


@pytest.mark.parametrize(
    ("kind", "more"), [("adam", {}), ("adamw", {"weight_decay": 0.2}), ("rmsprop", {"decay": 0.9})]
)
def test_the_first_step_of_each_optimiser_is_that_of_its_formula(kind, more):
    settings = resolve("dcgan", {"optimizer.generator": {"kind": kind, "lr": 0.1, **more}}).optimizer.generator
    weight, slope = nn.Parameter(torch.tensor([2.0, -1.0, 0.5])), torch.tensor([3.0, 0.01, -0.2])
    expected, weight.grad = stepped_by_hand(kind, weight.detach().clone(), slope), slope
    OPTIMIZERS[kind]([weight], settings, False).step()
    assert torch.allclose(weight.detach(), expected, atol=1e-5)


def test_the_best_is_the_newest_that_is_not_clearly_worse() -> None:
    position, kept = TrainingProgress(), []
    for step, score in enumerate([80.0, 50.0, 51.0, 49.0, 50.3, 300.0, 52.0, 50.4]):
        position.step = step
        position.keep_best(score)
        kept.append(position.best_step)
    assert kept == [0, 1, 2, 3, 4, 4, 4, 7]
    assert position.best_score == 49.0
