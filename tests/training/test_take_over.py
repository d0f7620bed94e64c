"""Which tensors a new run begins with, tensor by tensor, without a step of training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ganglion.errors import RunError
from ganglion.recipe.resolve import resolve, update
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress, read_checkpoint, save_checkpoint
from ganglion.training.players import Players, build_players
from ganglion.training.start_from import Origin
from ganglion.training.take_over import StartedPlayers, take_over
from tiny import TINY

CPU = torch.device("cpu")


def recipe(preset: str = "dcgan", **settings: object) -> Recipe:
    base = resolve(
        preset, TINY | {"data.size": 16, "data.channels": 1, "training.steps": 5, "training.precision": "32"}
    )
    return update(base, training__start_from="a", **settings)


def with_classes(*names: str, **settings: object) -> Recipe:
    given = {"data__classes": names, "data__class_counts": [9] * len(names)}
    return recipe(data__conditional=True, **given, **settings)


@torch.no_grad()
def origin_of(made: Recipe, folder: Path) -> Origin:
    """A checkpoint of a run of `made` at step 3, in which every number has moved."""
    players, random = build_players(made, CPU), torch.Generator().manual_seed(2)
    for _, tensor in players.state():
        if tensor.is_floating_point():
            tensor += torch.rand(tensor.shape, generator=random)
    for network, optimizer in ((players.generator, players.optimizer_g), (players.discriminator, players.optimizer_d)):
        for _ in range(3):
            for weight in network.parameters():
                weight.grad = torch.randn(weight.shape, generator=random)
            optimizer.step()
    players.running_stats.updates.fill_(4)
    players.running_stats.skipped_updates.fill_(2)
    progress = TrainingProgress(step=3, images=24, best_step=3, best_score=9.0)
    save_checkpoint(folder, players.networks(), players.optimizers(), progress)
    tensors, progress = read_checkpoint(folder / "00000003")
    return Origin(Path("a"), "best", made, progress, tensors)


def begun(made: Recipe, origin: Origin) -> tuple[Players, StartedPlayers]:
    players = build_players(made, CPU)
    return players, take_over(players, made, origin)


def saved(started: StartedPlayers, folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    save_checkpoint(folder, started.players.networks(), started.players.optimizers(), started.progress)
    return read_checkpoint(folder / "00000000")[0]


@pytest.mark.parametrize("preset", ["dcgan", "sngan", "r3gan", "wgan", "improved"])
def test_from_the_same_recipe_every_tensor_and_moment_has_the_bits_of_the_other_run(
    preset: str, tmp_path: Path
) -> None:
    origin = origin_of(recipe(preset), tmp_path / "a")
    _, started = begun(recipe(preset), origin)
    tensors = saved(started, tmp_path / "b")
    for file in ("generator", "discriminator", "ema", "optimizers"):
        assert tensors[file].keys() == origin.tensors[file].keys()
        assert all(torch.equal(tensors[file][name], tensor) for name, tensor in origin.tensors[file].items()), file
    skipped = tensors["running_stats"].pop("skipped_updates")
    assert skipped == 0  # it belongs to the number of steps, which begins anew
    assert tensors["running_stats"].pop("strength") == 0  # no recipe here adapts it
    assert all(torch.equal(t, origin.tensors["running_stats"][name]) for name, t in tensors["running_stats"].items())


def test_progress_and_best_score_begin_anew_and_the_average_is_as_old_as_it_is(tmp_path: Path) -> None:
    _, started = begun(recipe(), origin_of(recipe(), tmp_path))
    assert started.progress == TrainingProgress(images_before=24)


def test_counts_add_up_to_the_weights_of_the_network(tmp_path: Path) -> None:
    origin = origin_of(with_classes("a", "b"), tmp_path)
    for made in (with_classes("b", "c", "d"), with_classes("a", "b", data__size=32), recipe(generator__width=8)):
        players, started = begun(made, origin)
        for name, network in (("generator", players.generator), ("discriminator", players.discriminator)):
            facts = started.facts["networks"][name]
            total = facts["taken_over"] + sum(facts["new"].values()) + sum(facts["partly_new"].values())
            assert total == facts["weights"] == sum(weight.numel() for weight in network.parameters())


def test_a_larger_size_takes_over_moments_of_the_weights_that_it_took_over_and_of_no_others(tmp_path: Path) -> None:
    origin = origin_of(recipe(), tmp_path)
    players, started = begun(recipe(data__size=32), origin)
    assert started.facts["networks"]["generator"]["blocks"] == "1 block more: blocks.0 is new"
    assert started.facts["networks"]["discriminator"]["blocks"] == "1 block more: blocks.2 is new"
    names = [name for name, _ in players.generator.named_parameters()]
    held = {names[number] for number in players.optimizer_g.state_dict()["state"]}
    assert held == {name for name in names if not name.startswith(("stem", "blocks.0."))}
    there = [name for name, _ in build_players(recipe(), CPU).generator.named_parameters()]
    here, old = names.index("blocks.2.convolution.weight"), there.index("blocks.1.convolution.weight")
    moment = players.optimizer_g.state_dict()["state"][here]["exp_avg"]
    assert torch.equal(moment, origin.tensors["optimizers"][f"generator/{old}/exp_avg"])
    assert started.progress.images_before == 0
    assert started.facts["running_statistics"] == "reset, since D is not taken over whole"


def test_averaged_weights_are_matched_as_those_of_g(tmp_path: Path) -> None:
    origin = origin_of(recipe(), tmp_path)
    players, _ = begun(recipe(data__size=32), origin)
    for network, file in ((players.ema, "ema"), (players.generator, "generator")):
        taken = network.state_dict()["blocks.1.norm.norm.running_mean"]
        assert torch.equal(taken, origin.tensors[file]["blocks.0.norm.norm.running_mean"])
    drawn = build_players(recipe(data__size=32), CPU).generator.state_dict()["stem.linear.weight"]
    assert torch.equal(players.ema.state_dict()["stem.linear.weight"], drawn)


def test_an_optimiser_of_another_kind_begins_anew(tmp_path: Path) -> None:
    changed = recipe(optimizer__generator__kind="rmsprop")
    players, started = begun(changed, origin_of(recipe(), tmp_path))
    assert started.facts["optimizers"]["generator"] == "reset (rmsprop here, adam there)"
    assert not players.optimizer_g.state_dict()["state"]
    assert players.optimizer_d.state_dict()["state"]


def test_another_loss_begins_the_running_means_anew(tmp_path: Path) -> None:
    players, started = begun(recipe(objective__adversarial="hinge"), origin_of(recipe(), tmp_path))
    assert "hinge here" in started.facts["running_statistics"]
    assert not players.running_stats.means.any()


def test_the_strength_of_augmentation_is_taken_over_where_both_runs_adapt_it(tmp_path: Path) -> None:
    origin = origin_of(recipe(augment__kind="ada"), tmp_path)
    assert (
        begun(recipe(augment__kind="ada"), origin)[0].running_stats.strength
        == origin.tensors["running_stats"]["strength"]
    )
    assert begun(recipe(), origin)[0].running_stats.strength == 0


def test_mean_weights_that_begin_anew_are_the_weights_taken_over(tmp_path: Path) -> None:
    players, _ = begun(recipe(objective__historical_averaging_weight=0.1), origin_of(recipe(), tmp_path))
    means = players.running_stats.mean_weights["generator"].state_dict()
    assert all(torch.equal(means[name], tensor) for name, tensor in players.generator.state_dict().items())


def test_classes_are_taken_over_by_name_and_the_new_ones_told(tmp_path: Path) -> None:
    origin = origin_of(with_classes("a", "b"), tmp_path)
    players, started = begun(with_classes("b", "c"), origin)
    rows = players.discriminator.state_dict()["head.projection.weight"]
    assert torch.equal(rows[0], origin.tensors["discriminator"]["head.projection.weight"][1])
    assert started.facts["classes"] == {"known": ["b"], "new": ["c"], "left_behind": ["a"]}
    assert "classes: 1 of the same name; new: c; left out: a" in started.text()


def test_another_width_takes_over_weights_of_equal_shape_only_and_says_which(tmp_path: Path) -> None:
    made = recipe("r3gan", generator__width=8, generator__group=4)
    origin = origin_of(recipe("r3gan", generator__group=4), tmp_path)
    _, started = begun(made, origin)
    assert started.facts["networks"]["generator"]["taken_over"] == 0
    assert (
        started.facts["networks"]["discriminator"]["taken_over"]
        == started.facts["networks"]["discriminator"]["weights"]
    )
    assert "G: 0 of" in started.text()
    assert "left behind: stem (" in started.text()
    assert "generator.width: 4 -> 8" in started.text()


def test_a_network_of_another_family_is_left_out_and_two_of_them_are_refused(tmp_path: Path) -> None:
    origin = origin_of(recipe(), tmp_path)
    _, started = begun(recipe(generator__family="resnet"), origin)
    assert "G: nothing taken over: family resnet here, dcgan in the other run" in started.text()
    both = recipe(generator__family="resnet", discriminator__family="resnet", discriminator__norm="none")
    with pytest.raises(RunError, match="nothing could be taken over from a:best: .*start without --from"):
        begun(both, origin)
