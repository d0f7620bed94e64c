from __future__ import annotations

from functools import partial

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ganglion.objectives.adversarial import ADVERSARIAL
from ganglion.objectives.losses import total
from ganglion.platform.interrupt import Interrupt
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.loop import train_loop
from ganglion.training.one_stage import OneStage
from ganglion.training.phases import StepContext, discriminator_pass, discriminator_terms, generator_terms
from ganglion.training.players import Players, build_players
from gaussian_mixtures import PLANES, PlaneBatches

N = 8


def recipe(**changes: object) -> Recipe:
    plain = {
        "data.size": 16, "data.channels": 1, "generator.width": 4, "discriminator.width": 4, "latent.dim": 3,
        "generator.norm": "none", "discriminator.norm": "none", "init.scheme": "kaiming", "training.batch": N,
        "training.precision": "32", "training.steps": 4, "balance.updates": "simultaneous",
    }  # fmt: skip
    return resolve("dcgan", plain | {key.replace("__", "."): value for key, value in changes.items()})


def scene(settings: Recipe) -> tuple[StepContext, Tensor, Tensor]:
    """A step in float64, reals and latents."""
    players = build_players(settings, torch.device("cpu"))
    for network in (players.generator, players.discriminator):
        network.double().train()
    random = torch.Generator().manual_seed(1)
    step = StepContext(settings, players, random, partial(torch.autocast, "cpu", enabled=False))
    real = torch.rand(N, 1, 16, 16, generator=random, dtype=torch.float64) * 2 - 1
    return step, real, torch.randn(N, 3, generator=random, dtype=torch.float64)


def gradients(network: nn.Module) -> dict[str, Tensor]:
    return {name: weight.grad.clone() for name, weight in network.named_parameters() if weight.grad is not None}


def both_ways(settings: Recipe) -> tuple[dict[str, Tensor], ...]:
    """Gradients of G and of D from D's backward pass, and as they are defined; D's weights are the same in both."""
    found: list[dict[str, Tensor]] = []
    for one_stage in (True, False):
        step, real, z = scene(settings)
        players = step.players
        if not one_stage:
            step = StepContext(
                resolve(settings, {"balance.updates": "alternating"}), players, step.random, step.autocast
            )
        seen = discriminator_pass(step, real, None, z, 0, for_generator=True)
        known = OneStage.of(step, seen, 0, d_paused=False)
        assert (known is not None) == one_stage
        weights = list(players.discriminator.parameters())
        total(discriminator_terms(step, seen, None, 0)).backward(inputs=[*weights, *(known.images if known else ())])
        of_d = gradients(players.discriminator)
        total(generator_terms(step, seen.fake, seen.seen_real, None, known)).backward()
        found += [gradients(players.generator), of_d]
    return tuple(found)


def close(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    assert any(float(gradient.norm()) > 0 for gradient in expected.values())
    for name, gradient in expected.items():
        largest = float(gradient.abs().max())
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-6 * largest)  # logits are float32


@pytest.mark.parametrize("loss", ADVERSARIAL)
@pytest.mark.parametrize("penalty", [None, "r1", "r2", "wgan-gp", "lecam"])
def test_where_d_judges_images_alone_both_gradients_are_those_of_their_losses(loss: str, penalty: str | None) -> None:
    penalties = [] if penalty is None else [{"kind": penalty}]
    found_g, found_d, expected_g, expected_d = both_ways(
        recipe(objective__adversarial=loss, objective__penalties=penalties)
    )
    close(found_g, expected_g)
    close(found_d, expected_d)


@pytest.mark.parametrize("mixing", [{"discriminator__norm": "batch"}, {"discriminator__minibatch": "stddev"}])
def test_where_d_mixes_images_gs_gradient_is_computed_through_the_same_pass(mixing: dict[str, object]) -> None:
    found_g, found_d, expected_g, expected_d = both_ways(recipe(**mixing))
    close(found_g, expected_g)
    close(found_d, expected_d)


def test_a_fake_on_which_ds_loss_is_flat_still_teaches_g() -> None:
    """Under the hinge loss D has no gradient at fakes whose logit is below -1."""
    step, real, z = scene(recipe(objective__adversarial="hinge"))
    bias = step.players.discriminator.head.linear.bias  # type: ignore[union-attr]
    with torch.no_grad():
        bias.fill_(-50.0)
    seen = discriminator_pass(step, real, None, z, 0, for_generator=True)
    assert float(seen.fake_logits.detach().max()) < -1
    known = OneStage(step, seen, 0)
    total(discriminator_terms(step, seen, None, 0)).backward(inputs=[seen.judged])
    (found,) = torch.autograd.grad(total(known.terms(seen.fake)), seen.fake)
    again = seen.fake.detach().requires_grad_()
    (expected,) = torch.autograd.grad(-step.players.discriminator(again).mean(), again)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))


def passes(settings: Recipe) -> tuple[Players, int]:
    """After a run: the players, and how often D was called."""
    players, calls = build_players(settings, torch.device("cpu")), [0]
    players.discriminator.head.register_forward_hook(lambda *_: calls.__setitem__(0, calls[0] + 1))
    batches = PlaneBatches(PLANES["ring8"], 0)
    reals = torch.rand(N, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    batches.take = lambda *_: type(batches).take(batches, 0, N)._replace(images=reals)  # type: ignore[method-assign]
    train_loop(Fabric(accelerator="cpu", devices=1), settings, batches, players, TrainingProgress(), None, Interrupt())
    return players, calls[0]


@pytest.mark.parametrize(("balance", "saved"), [({}, 1), ({"balance__d_steps": 3}, 1), ({"balance__g_steps": 2}, 1)])
def test_a_step_calls_d_once_less_and_trains_both(balance: dict[str, object], saved: int) -> None:
    settings = recipe(**balance)
    before = {name: weight.clone() for name, weight in build_players(settings, torch.device("cpu")).state()}
    players, calls = passes(settings)
    _, alternating = passes(resolve(settings, {"balance.updates": "alternating"}))
    assert alternating - calls == saved * 4
    after = dict(players.state())
    for player in ("generator", "discriminator"):
        moved = [name for name in after if name.startswith(player) and not torch.equal(before[name], after[name])]
        assert any("weight" in name for name in moved)


def test_while_d_is_paused_g_learns_from_the_same_pass() -> None:
    settings = recipe(balance__pause_above_auc=0.9)
    step, real, z = scene(settings)
    seen = discriminator_pass(step, real, None, z, 0, for_generator=True)
    known = OneStage(step, seen, 0, d_paused=True)
    total(generator_terms(step, seen.fake, seen.seen_real, None, known)).backward()
    found = gradients(step.players.generator)
    close(found, both_ways(settings)[2])
