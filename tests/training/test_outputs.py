from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from ganglion.data.batches import Batches
from ganglion.data.prepare import prepare
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.outputs import TrainingProbe, rank
from ganglion.training.players import build_players
from ganglion.vitals.probe import LastStep, measure
from tiny import TINY

CPU = torch.device("cpu")


def recipe(**changes: object) -> Recipe:
    fixed = {"data.source": "digits", "data.size": 16, "data.channels": 1, "training.steps": 4}
    return resolve("dcgan", TINY | fixed | {key.replace("__", "."): value for key, value in changes.items()})


def looked_at(settings: Recipe, cache: Path, held_out: int = 89):  # type: ignore[no-untyped-def]
    store = prepare(settings.data, cache, Screen(quiet=True))
    batches = Batches(store, 0, CPU, settings.data.conditional, held_out)
    players = build_players(settings, CPU)
    players.generator.train()
    players.discriminator.train()
    return TrainingProbe(settings, batches, players, CPU, nullcontext), players, batches


def last_step(players, batches, settings: Recipe) -> LastStep:  # type: ignore[no-untyped-def]
    real, labels = batches.take(0, 8)
    z = torch.randn(8, settings.latent.dim, generator=torch.Generator().manual_seed(0))
    drawn = players.generator(z, labels)
    return LastStep(real, drawn.detach(), drawn.detach(), (z, labels))


@pytest.mark.parametrize("family", ["dcgan", "resnet", "r3gan"])
def test_a_look_changes_nothing_and_gives_the_same_numbers_again(family: str, cache: Path) -> None:
    settings = recipe(generator__family=family, discriminator__family=family)
    probe, players, batches = looked_at(settings, cache)
    last = last_step(players, batches, settings)
    before = [tensor.clone() for _, tensor in players.state()]
    first, second = (measure(probe, last, 0.99) for _ in range(2))
    assert first == second
    assert all(torch.equal(a, b) for a, (_, b) in zip(before, players.state(), strict=True))
    assert players.generator.training
    assert players.discriminator.training


def test_it_measures_samples_reals_held_out_images_and_units(cache: Path) -> None:
    settings = recipe()
    probe, players, batches = looked_at(settings, cache)
    found = measure(probe, last_step(players, batches, settings), 0.99)
    assert {
        "swd",
        "swd_floor",
        "diversity",
        "diversity_seen",
        "held_out",
        "nearest",
        "train_eval",
        "dead_g",
        "dead_d",
    } <= found.keys()
    assert {"separation_eval"} <= found.keys()
    assert found["range_real"][:2] == [-1, 1]


def test_without_held_out_images_and_without_norms_these_numbers_are_not_there(cache: Path) -> None:
    settings = recipe(generator__norm="none", discriminator__norm="none")
    probe, players, batches = looked_at(settings, cache, held_out=0)
    found = measure(probe, last_step(players, batches, settings), 0.5)
    assert not {"held_out", "nearest", "train_eval", "separation_eval"} & found.keys()


def test_the_record_of_the_start_shows_first_weights_and_moves_no_statistics(cache: Path) -> None:
    settings = recipe(generator__norm="none", init__std=0.4)
    probe, players, _ = looked_at(settings, cache)
    found = probe.first_record(probe.generator)
    assert (found["step"], found["kimg"]) == (0, 0)
    assert found["saturation"] > 0.1
    normed, players, _ = looked_at(recipe(), cache)
    before = [tensor.clone() for _, tensor in players.state()]
    assert normed.first_record(normed.generator)["saturation"] < 0.01
    assert all(torch.equal(a, b) for a, (_, b) in zip(before, players.state(), strict=True))


def test_labels_stay_while_latents_change(cache: Path) -> None:
    settings = recipe(data__conditional=True, data__classes=[str(i) for i in range(10)], data__class_counts=[100] * 10)
    probe, players, batches = looked_at(settings, cache)
    found = measure(probe, last_step(players, batches, settings), 0.5)
    assert found["z_response"] > 0


def test_few_reals_are_ranked_by_the_relative_distance_and_many_by_frechet() -> None:
    worse, better = {"frechet": 1.7, "relative_distance": 0.9}, {"frechet": 2.2, "relative_distance": 0.2}
    assert rank(better, 200).score < rank(worse, 200).score
    assert rank(better, 1000).score > rank(worse, 1000).score
    assert rank({"frechet": 2.2}, 200).score == 2.2  # of reals that are all alike there is no relative distance
    assert rank({"frechet": 9.0, "relative_distance": -0.03}, 200).score == 1


def test_of_few_reals_the_newest_weights_are_kept_until_they_fall_far_behind() -> None:
    progress, kept = TrainingProgress(), []
    for step, relative in enumerate([1.2, 0.13, 0.28, 0.34, 0.9, 4.0, 0.4]):
        progress.step = step
        progress.keep_best(*rank({"frechet": 9.0, "relative_distance": relative}, 67))
        kept.append(progress.best_step)
    assert kept == [0, 1, 2, 3, 3, 3, 6]
