"""The loop itself, on points in the plane: milliseconds a step, and nothing of it is left out but the pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ganglion.data.batches import Batch
from ganglion.doctor.verdict import Verdict
from ganglion.networks.initialise import initialise
from ganglion.objectives.adversarial import ADVERSARIAL
from ganglion.platform.interrupt import Interrupt
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress, restore, save_checkpoint
from ganglion.streams import Purpose, stream
from ganglion.training.loop import train_loop
from ganglion.training.outputs import Rank, RunOutputs
from ganglion.training.players import Players, assemble, build_players
from ganglion.vitals.probe import LabelledImages, ReferenceSet
from gaussian_mixtures import PLANES, PlaneBatches, PlaneGenerator, plane_discriminator


def recipe(**changes: object) -> Recipe:
    plain = {
        "generator.norm": "none", "discriminator.norm": "none", "latent.dim": 2, "init.scheme": "kaiming",
        "training.batch": 8, "training.steps": 6, "training.precision": "32",
    }  # fmt: skip
    return resolve("dcgan", plain | {key.replace("__", "."): value for key, value in changes.items()})


def players_for(settings: Recipe) -> Players:
    generator, discriminator = PlaneGenerator(2, 16), plane_discriminator(16)
    initialise(generator, settings.init, stream(0, Purpose.INIT_GENERATOR))
    initialise(discriminator, settings.init, stream(0, Purpose.INIT_DISCRIMINATOR))
    return assemble(settings, generator, discriminator)


class Recorded(PlaneBatches):
    """Remembers what was taken."""

    def __init__(self) -> None:
        super().__init__(PLANES["ring8"], 0)
        self.taken: list[Tensor] = []

    def take(self, first: int, count: int, part: slice = slice(None)) -> Batch:
        batch = super().take(first, count, part)
        self.taken.append(batch.images)
        return batch


def run(
    settings: Recipe, players: Players | None = None, position: TrainingProgress | None = None
) -> tuple[Players, TrainingProgress, Recorded]:
    players, position, batches = players or players_for(settings), position or TrainingProgress(), Recorded()
    train_loop(Fabric(accelerator="cpu", devices=1), settings, batches, players, position, None, Interrupt())
    return players, position, batches


def weights(network: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in network.parameters()]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def at_each_step(optimizer: torch.optim.Optimizer, look: Callable[[], None]) -> None:
    optimizer.register_step_post_hook(lambda *_: look())


def test_five_critic_steps_see_five_different_batches() -> None:
    _, position, batches = run(recipe(balance__d_steps=5, training__steps=2))
    assert len(batches.taken) == 10
    assert len({tuple(batch.flatten().tolist()) for batch in batches.taken}) == 10
    assert (position.step, position.images) == (2, 80)


def test_five_critic_steps_see_five_different_fakes_too() -> None:
    players, fakes = players_for(recipe()), []
    players.generator.register_forward_hook(lambda _, inputs, __: fakes.append(tuple(inputs[0].flatten().tolist())))
    run(recipe(balance__d_steps=5, training__steps=1), players)
    assert len(fakes) == len(set(fakes)) == 5


def test_each_of_gs_steps_has_latents_of_its_own() -> None:
    players, drawn = players_for(recipe()), []
    players.generator.register_forward_hook(lambda _, inputs, __: drawn.append(tuple(inputs[0].flatten().tolist())))
    run(recipe(balance__g_steps=3, training__steps=2), players)
    assert len(drawn) == len(set(drawn)) == 6


@pytest.mark.parametrize("balance", [{"balance__d_steps": 3}, {"balance__g_steps": 3}])
def test_only_the_player_whose_turn_it_is_moves(balance: dict[str, object]) -> None:
    settings = recipe(**balance)
    players = players_for(settings)
    last = {"g": weights(players.generator), "d": weights(players.discriminator)}
    moves = []

    def after(mine: str, other: str) -> None:
        now = {"g": weights(players.generator), "d": weights(players.discriminator)}
        assert not equal(now[mine], last[mine])
        assert equal(now[other], last[other])
        last.update(now)
        moves.append(mine)

    at_each_step(players.optimizer_d, lambda: after("d", "g"))
    at_each_step(players.optimizer_g, lambda: after("g", "d"))
    run(settings, players)
    a_step = ["d"] * settings.balance.d_steps + ["g"] * settings.balance.g_steps
    assert moves == a_step * 6


def inputs_of_d(settings: Recipe) -> list[Tensor]:
    """What reaches D's first layer, in both phases: reals, fakes, those of penalties, and the fakes that G learns from."""
    players, seen = players_for(settings), []
    players.discriminator.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    run(settings, players)
    return seen


def differentiated_in(settings: Recipe) -> list[bool]:
    """For each pass of D, whether its logits are differentiated for its inputs, as r1 and r2 do."""
    players, found = players_for(settings), []
    players.discriminator.blocks[0].register_forward_pre_hook(
        lambda _, inputs: found.append(inputs[0].requires_grad and inputs[0].is_leaf)
    )
    run(settings, players)
    return found


@pytest.mark.parametrize(("penalty", "place"), [("r1", 0), ("r2", 1)])
def test_a_penalty_shares_the_forward_pass_on_images_as_d_saw_them(penalty: str, place: int) -> None:
    noisy = {"objective__instance_noise": {"std": 0.5}, "objective__penalties": [{"kind": penalty}]}
    found = differentiated_in(recipe(training__steps=1, **noisy))
    assert found == [number == place for number in range(3)]  # reals, fakes, the fakes that G learns from


def test_a_lazy_penalty_is_computed_at_every_so_many_updates_of_d_and_not_of_g() -> None:
    lazy = [{"kind": "r1", "interval_updates": 2}]
    found = differentiated_in(recipe(balance__d_steps=3, training__steps=4, objective__penalties=lazy))
    step = [True, False, False, False, True, False, False]  # three turns of D, one of G
    other = [False, False, True, False, False, False, False]
    assert found == (step + other) * 2


def test_instance_noise_is_another_for_every_batch_that_d_sees() -> None:
    """Two runs that differ in the noise alone: what one sees beyond the other is the noise."""
    quiet, noisy = (
        inputs_of_d(recipe(balance__d_steps=2, objective__instance_noise={"std": std}, optimizer__warmup_kimg=1e9))
        for std in (0.0, 0.5)
    )
    added = [b - a for a, b in zip(quiet, noisy, strict=True)]
    assert len(added) == 6 * (2 * 2 + 1)  # what G learns from is as noisy
    assert all(0.2 < float(noise.std()) < 0.9 for noise in added)
    assert all(not torch.allclose(a, b, atol=1e-2) for i, a in enumerate(added) for b in added[:i])


def test_lecam_is_given_the_running_means_of_the_right_side(tmp_path: Path) -> None:
    settings = recipe(training__steps=1, objective__penalties=[{"kind": "lecam", "weight": 2.0}])
    players, logits = players_for(settings), []
    players.discriminator.register_forward_hook(lambda _, __, out: logits.append(out.detach()))
    (record,) = records_of(settings, tmp_path, players)
    real, fake = logits[:2]  # of the D phase; after one batch, the running means are the batch's
    expected = 2 * ((real - fake.mean()).square().mean() + (fake - real.mean()).square().mean())
    assert record["loss_d_lecam"] == pytest.approx(float(expected), rel=1e-4)


def test_both_players_rates_follow_schedule_and_warm_up() -> None:
    settings = recipe(
        training__steps=4, optimizer__schedule="linear", optimizer__warmup_kimg=0.016,
        optimizer__generator__lr=1e-3, optimizer__discriminator__lr=2e-3,
    )  # fmt: skip
    players, rates = players_for(settings), []
    at_each_step(players.optimizer_d, lambda: rates.append(players.optimizer_d.param_groups[0]["lr"]))
    at_each_step(players.optimizer_g, lambda: rates.append(players.optimizer_g.param_groups[0]["lr"]))
    run(settings, players)
    shape = [0.0, 0.5 * 0.75, 0.5, 0.25]  # 16 images of warm-up are 2 steps; linear over 4
    assert rates == pytest.approx([rate for share in shape for rate in (2e-3 * share, 1e-3 * share)])


def test_what_is_pulled_towards_is_the_mean_of_a_players_weights_over_all_steps() -> None:
    settings = recipe(objective__historical_averaging_weight=0.1, balance__d_steps=2)
    players = players_for(settings)
    seen = {name: [weights(players.networks()[name])] for name in ("generator", "discriminator")}
    for name in seen:
        at_each_step(players.optimizer_g, lambda name=name: seen[name].append(weights(players.networks()[name])))
    run(settings, players)
    for name, lives in seen.items():
        assert len(lives) == 7
        for mean, *values in zip(weights(players.running_stats.mean_weights[name]), *lives, strict=True):
            assert torch.allclose(mean, torch.stack(values).mean(0), atol=1e-6)


def test_while_g_learns_no_gradient_is_computed_for_d() -> None:
    players, seen = players_for(recipe()), []
    at_each_step(players.optimizer_g, lambda: seen.append(weights_of_gradients(players.discriminator)))
    before: list[list[Tensor]] = []
    at_each_step(players.optimizer_d, lambda: before.append(weights_of_gradients(players.discriminator)))
    run(recipe(), players)
    assert all(equal(a, b) for a, b in zip(before, seen, strict=True))


def weights_of_gradients(network: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]


def test_clipped_weights_are_within_the_bound_after_every_step_of_d() -> None:
    settings = recipe(objective__adversarial="wasserstein", objective__weight_clip=0.03, balance__d_steps=2)
    players, largest = players_for(settings), []
    at_each_step(
        players.optimizer_g, lambda: largest.append(max(float(w.abs().max()) for w in weights(players.discriminator)))
    )
    run(settings, players)
    assert largest
    assert all(value <= 0.03 + 1e-9 for value in largest)


@pytest.mark.parametrize(("separation", "moved"), [(0.99, "g"), (0.01, "d")])
def test_a_player_with_too_large_a_lead_waits_and_the_other_learns(separation: float, moved: str) -> None:
    settings = recipe(balance__pause_above_auc=0.9, training__steps=1)
    players = players_for(settings)
    players.running_stats.updates += 1000
    players.running_stats.means[2] = separation
    before = {"g": weights(players.generator), "d": weights(players.discriminator)}
    run(settings, players)
    assert equal(before["g"], weights(players.generator)) == (moved != "g")
    assert equal(before["d"], weights(players.discriminator)) == (moved != "d")


WAITS = [False, True, False, False, True, True, True, False, False, True, False, False]
"""The steps at which D sits out."""


def penalised(settings: Recipe, players: Players, position: TrainingProgress | None = None) -> list[bool]:
    """For each update that D makes, whether its loss held the penalty; D waits as WAITS says."""
    looks, found, first = [False], [], position.step if position else 0
    waits = iter(WAITS[first:])
    players.running_stats.paused = lambda balance: (next(waits), False)  # type: ignore[method-assign]

    def judged(images: Tensor) -> None:
        looks[0] |= images.requires_grad and images.is_leaf

    def updated() -> None:
        found.append(looks[0])
        looks[0] = False

    players.discriminator.blocks[0].register_forward_pre_hook(lambda _, inputs: judged(inputs[0]))
    at_each_step(players.optimizer_d, updated)
    at_each_step(players.optimizer_g, lambda: looks.__setitem__(0, False))
    run(settings, players, position)
    return found


@pytest.mark.parametrize("d_steps", [1, 2])
@pytest.mark.parametrize("every", [1, 2, 3])
def test_a_lazy_penalty_is_in_every_so_many_of_the_updates_that_d_makes(d_steps: int, every: int) -> None:
    settings = stalling(d_steps, every)
    found = penalised(settings, players_for(settings))
    assert len(found) == d_steps * WAITS.count(False)
    assert found == [number % every == 0 for number in range(len(found))]


def stalling(d_steps: int, every: int) -> Recipe:
    lazy = [{"kind": "r1", "interval_updates": every}]
    return recipe(
        balance__pause_above_auc=0.9, balance__d_steps=d_steps, objective__penalties=lazy, training__steps=len(WAITS)
    )


@pytest.mark.parametrize("stop", [2, 5, 9])
def test_a_resumed_run_knows_which_update_of_d_comes_next(stop: int, tmp_path: Path) -> None:
    settings = stalling(d_steps=1, every=3)
    first, second = players_for(settings), players_for(settings)
    found = penalised(resolve(settings, {"training.steps": stop}), first)
    save_checkpoint(tmp_path, *saved(first), TrainingProgress(stop, 8 * stop))
    found += penalised(settings, second, restore(tmp_path, *saved(second), lambda _: None))
    assert found == [number % 3 == 0 for number in range(WAITS.count(False))]


def test_historical_averaging_is_in_both_losses_and_holds_both_players(tmp_path: Path) -> None:
    """So strong that it outweighs all else, it keeps weights near their first values."""
    far = {}
    for weight in (0.0, 1e4):
        settings = recipe(objective__historical_averaging_weight=weight, training__steps=20)
        players = players_for(settings)
        first = {name: weights(network) for name, network in players.networks().items()}
        (record,) = records_of(settings, tmp_path, players)
        assert [record.get("loss_g_historical_averaging", 0) > 0, record.get("loss_d_historical_averaging", 0) > 0] == [
            weight > 0
        ] * 2
        far[weight] = {
            name: sum(float((a - b).square().sum()) for a, b in zip(first[name], weights(network), strict=True))
            for name, network in players.networks().items()
        }
    for name in ("generator", "discriminator"):
        assert far[1e4][name] < 0.5 * far[0.0][name]


def test_g_learns_through_the_augmentation_that_d_sees(tmp_path: Path) -> None:
    """Zhao et al. 2020, section 4: the gradient passes through it. Where all is cut away, nothing reaches G."""
    settings = recipe(
        augment__kind="diffaugment", data__size=16, data__channels=1, generator__width=4, discriminator__width=4,
        training__steps=1, optimizer__warmup_kimg=1e9,
    )  # fmt: skip
    players, seen, drawn = build_players(settings, torch.device("cpu")), [], []
    players.discriminator.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    players.generator.register_forward_hook(lambda _, __, out: drawn.append(out))
    records_of(settings, tmp_path, players, Noise())
    fake, g_fake = seen[1:3]
    assert g_fake.requires_grad
    assert not fake.requires_grad
    assert not torch.equal(g_fake.detach(), drawn[0].detach())
    cut = (g_fake == 0).flatten(2).sum(2)
    assert bool((cut >= 16).all())  # cutout leaves its hole in each of them, at least a quarter of 8x8


@pytest.mark.parametrize("adversarial", ADVERSARIAL)
@pytest.mark.parametrize("penalty", ["r1", "r2", "wgan-gp", "wgan-lp", "dragan", "lecam"])
def test_every_loss_trains_with_every_penalty(adversarial: str, penalty: str) -> None:
    settings = recipe(
        objective__adversarial=adversarial, objective__penalties=[{"kind": penalty, "interval_updates": 2}]
    )
    players, _, _ = run(settings)
    assert all(w.isfinite().all() for w in weights(players.generator) + weights(players.discriminator))


def test_feature_matching_alone_teaches_g() -> None:
    settings = recipe(objective__adversarial_weight=0, objective__feature_matching={"weight": 1.0, "layer": 1})
    before = weights(players_for(settings).generator)
    players, _, _ = run(settings)
    assert not equal(before, weights(players.generator))


@pytest.mark.parametrize("algorithm", ["adam", "adamw", "rmsprop"])
def test_a_run_that_was_saved_and_restored_ends_with_the_same_bits(algorithm: str, tmp_path: Path) -> None:
    """With all that is remembered from step to step: running means, history, a lead that may stall."""
    settings = recipe(
        optimizer__generator={"kind": algorithm, "lr": 1e-3}, optimizer__discriminator={"kind": algorithm},
        objective__historical_averaging_weight=0.1, objective__penalties=[{"kind": "lecam", "weight": 0.1}], balance__d_steps=2,
        balance__pause_above_auc=0.95, objective__instance_noise={"std": 0.1, "decay_kimg": 1},
        training__steps=8,
    )  # fmt: skip
    whole, _, _ = run(settings)
    first, position, _ = run(resolve(settings, {"training.steps": 5}))
    save_checkpoint(tmp_path, *saved(first), position)
    second = players_for(settings)
    found = restore(tmp_path, *saved(second), lambda _: None)
    assert found is not None
    run(settings, second, found)
    for name in ("generator", "discriminator", "ema", "running_stats"):
        a, b = whole.networks()[name].state_dict(), second.networks()[name].state_dict()
        assert all(torch.equal(a[key], b[key]) for key in a), name


def saved(both: Players):  # type: ignore[no-untyped-def]
    return both.networks(), both.optimizers()


class Ear:
    """Outputs that keep the records; points in the plane have no pictures and need no doctor."""

    def __init__(self, folder: Path) -> None:
        self.records: list[dict[str, Any]] = []
        verdict = Verdict("healthy")
        journal = SimpleNamespace(write=self.records.append, diagnose=lambda record: verdict, verdict=verdict)
        snapshots = SimpleNamespace(take=lambda *_: {"frechet": 1.0}, rank=lambda _: Rank(1.0))
        self.outputs = RunOutputs(
            SimpleNamespace(checkpoints=folder), journal, ImagesOnly(), snapshots,
            lambda fraction, line: None, SimpleNamespace(tick=lambda images: {}, go_on=lambda images: None),
        )  # type: ignore[arg-type]  # fmt: skip


class ImagesOnly:
    """A probe that sees the images of the last step and cannot ask D."""

    generator = discriminator = nn.Identity()

    def inspecting(self) -> AbstractContextManager[None]:
        return nullcontext()

    def reference(self) -> ReferenceSet:
        return ReferenceSet(LabelledImages(NOISE))

    def samples(self, shifted: bool = False) -> LabelledImages:
        return LabelledImages(NOISE.roll(1, 0) if shifted else NOISE)

    def regenerate(self, _inputs: tuple[Any, ...]) -> None:
        return None

    def discriminate(self, _images: LabelledImages) -> None:
        return None


NOISE = torch.rand(8, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def records_of(
    settings: Recipe, folder: Path, players: Players | None = None, batches: PlaneBatches | None = None
) -> list[dict[str, Any]]:
    ear = Ear(folder)
    fabric, batches = Fabric(accelerator="cpu", devices=1), batches or PlaneBatches(PLANES["ring8"], 0)
    train_loop(
        fabric, settings, batches, players or players_for(settings), TrainingProgress(), ear.outputs, Interrupt()
    )
    return ear.records


def test_a_record_has_what_its_recipe_has_and_no_more(tmp_path: Path) -> None:
    (plain,) = records_of(recipe(), tmp_path)
    assert {"loss_d", "loss_g", "separation", "logit_real", "lr_g"} <= plain.keys()
    assert not {"earth_mover", "augment_strength", "loss_d_r1"} & plain.keys()
    critic = recipe(objective__adversarial="wasserstein", objective__penalties=[{"kind": "wgan-gp", "weight": 10}])
    (record,) = records_of(critic, tmp_path)
    assert record["earth_mover"] == pytest.approx(record["logit_real"] - record["logit_fake"])
    assert record["loss_d"] == pytest.approx(record["loss_d_adversarial"] + record["loss_d_wgan_gp"], rel=1e-5)
    assert math.isfinite(record["separation"])


class Noise(PlaneBatches):
    """Images (N, 1, 16, 16) of nothing but noise."""

    def __init__(self) -> None:
        super().__init__(PLANES["ring8"], 0)

    def take(self, first: int, count: int, part: slice = slice(None)) -> Batch:
        random = torch.Generator().manual_seed(first)
        return Batch((torch.rand(count, 1, 16, 16, generator=random) * 2 - 1)[part], None)


@pytest.mark.parametrize(("target", "strength"), [(-0.999, 0.6), (0.999, 0.0)])
def test_under_ada_the_strength_moves_with_the_images_and_is_on_record(
    tmp_path: Path, target: float, strength: float
) -> None:
    settings = recipe(
        augment__kind="ada", augment__target=target, augment__speed_kimg=0.08, data__size=16, data__channels=1,
        generator__width=4, discriminator__width=4,
    )  # fmt: skip
    players = build_players(settings, torch.device("cpu"))
    (record,) = records_of(settings, tmp_path, players, Noise())
    assert record["augment_strength"] == pytest.approx(strength, abs=1e-5)  # 6 batches of 8 images, of 80
    assert float(players.running_stats.strength) == pytest.approx(strength, abs=1e-5)


def test_what_is_examined_of_a_step_is_before_augmentation_which_leaves_the_range(tmp_path: Path) -> None:
    settings = recipe(
        augment__kind="ada", augment__target=-0.999, data__size=16, data__channels=1, generator__width=4,
        discriminator__width=4, training__steps=1,
    )  # fmt: skip
    players, seen = build_players(settings, torch.device("cpu")), []
    players.running_stats.strength += 1
    players.discriminator.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    (record,) = records_of(settings, tmp_path, players, Noise())
    assert float(seen[0].abs().max()) > 1.5
    assert max(abs(value) for key in ("range_real", "range_fake") for value in record[key][:2]) <= 1


def test_the_parts_of_a_loss_with_a_lazy_penalty_are_those_of_all_steps(tmp_path: Path) -> None:
    settings = recipe(objective__penalties=[{"kind": "r1", "interval_updates": 2}])
    (record,) = records_of(settings, tmp_path)
    expected = record["loss_d_adversarial"] + record["loss_d_r1"] / 2  # computed, doubled, at every second update
    assert record["loss_d"] == pytest.approx(expected, rel=1e-5)
