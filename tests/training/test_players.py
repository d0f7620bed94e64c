import pytest
import torch
from torch import nn

from ganglion.objectives.adversarial import ADVERSARIAL
from ganglion.recipe.resolve import resolve
from ganglion.training.players import OPTIMIZERS, Players, Position, build_players, frozen

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


def test_the_state_names_every_tensor_of_networks_and_memory_once(players):
    names = [name for name, _ in players.state()]
    assert len(names) == len(set(names)) == sum(len(n.state_dict()) for n in players.networks().values())
    assert {name.partition(".")[0] for name in names} == {"generator", "ema", "discriminator", "memory"}


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
    ("algorithm", "more"), [("adam", {}), ("adamw", {"weight_decay": 0.2}), ("rmsprop", {"decay": 0.9})]
)
def test_the_first_step_of_each_optimiser_is_that_of_its_formula(algorithm, more):
    settings = resolve(
        "dcgan", {"optimizer.generator": {"algorithm": algorithm, "lr": 0.1, **more}}
    ).optimizer.generator
    weight, slope = nn.Parameter(torch.tensor([2.0, -1.0, 0.5])), torch.tensor([3.0, 0.01, -0.2])
    expected, weight.grad = stepped_by_hand(algorithm, weight.detach().clone(), slope), slope
    OPTIMIZERS[algorithm]([weight], settings).step()
    assert torch.allclose(weight.detach(), expected, atol=1e-5)


def test_the_best_is_the_newest_that_is_not_clearly_worse() -> None:
    position, kept = Position(), []
    for step, score in enumerate([80.0, 50.0, 51.0, 49.0, 50.3, 300.0, 52.0, 50.4]):
        position.step = step
        position.keep_best(score)
        kept.append(position.best_step)
    assert kept == [0, 1, 2, 3, 4, 4, 4, 7]
    assert position.best_score == 49.0
