"""What several processes learn together is what one process learns: every preset, and going on with another number."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

import ganglion
from ganglion.data.batches import order
from ganglion.training.processes import launch
from two_processes import (
    BATCH,
    CPU,
    IN_TWO_SITTINGS,
    RECIPES,
    STEPS,
    Learnt,
    first_players,
    tensors_of,
    tiny_recipe,
    trained,
    what_three_find,
)

TOLERANCE = 1e-4
"""Largest distance between weights, over the distance that they moved: sums of float32 in another order, over 20 steps."""


def one_process(name: str, start: Path | None = None) -> dict[str, Tensor]:
    return tensors_of(trained(Fabric(accelerator="cpu", devices=1), name, start=start)[0])


def distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Of all weights and statistics; counters are equal."""
    assert one.keys() == other.keys()
    counters = [key for key, value in one.items() if not value.is_floating_point()]
    assert [key for key in counters if not torch.equal(one[key], other[key])] == []
    return sum(float((one[key].double() - other[key].double()).square().sum()) for key in one.keys() - counters) ** 0.5


@pytest.mark.parametrize("name", RECIPES)
def test_two_processes_learn_what_one_learns(learnt: Learnt, name: str) -> None:
    one, start = one_process(name), tensors_of(first_players(tiny_recipe(name)))
    moved = distance(one, {key: start[key] if one[key].is_floating_point() else one[key] for key in one})
    assert moved > 0.01
    assert distance(one, learnt[0][name]) < TOLERANCE * moved


@pytest.mark.parametrize("name", RECIPES)
def test_after_every_run_both_processes_hold_the_same_bits(learnt: Learnt, name: str) -> None:
    first, second = (found[name] for found in learnt)
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


def test_the_players_that_remember_were_augmented_and_paused(learnt: Learnt) -> None:
    found = learnt[0]["remembers"]
    assert float(found["running_stats.strength"]) > 0
    assert 0 < int(found["running_stats.skipped_updates"]) < STEPS


# Going on


@pytest.mark.parametrize("name", IN_TWO_SITTINGS)
def test_a_run_of_two_processes_in_two_sittings_ends_with_the_bits_of_one(learnt: Learnt, name: str) -> None:
    for found in learnt:
        whole, resumed = found[name], found[f"{name}, resumed"]
        assert [key for key in whole if not torch.equal(whole[key], resumed[key])] == []


@pytest.mark.parametrize("sittings", ["two, then one", "one, then two", "two, then three"])
def test_a_run_goes_on_in_another_number_of_processes(
    learnt: Learnt, learnt_in: Path, tmp_path: Path, sittings: str
) -> None:
    whole, start = one_process("remembers"), tensors_of(first_players(tiny_recipe("remembers")))
    if sittings == "two, then one":
        found = one_process("remembers", learnt_in / "remembers")
    elif sittings == "one, then two":
        found = learnt[0]["from one"]
    else:
        launch(partial(what_three_find, folder=tmp_path, start=learnt_in / "remembers"), CPU, 3, "32-true")
        found = torch.load(tmp_path / "three.pt")
    moved = distance(whole, {key: start[key] if whole[key].is_floating_point() else whole[key] for key in whole})
    assert distance(whole, found) < TOLERANCE * moved


# Data and records


@pytest.mark.parametrize("count", [2, 3])
def test_over_all_processes_each_image_is_shown_once_in_an_epoch(count: int) -> None:
    images = 5 * BATCH
    for epoch in range(2):
        firsts = range(epoch * images, (epoch + 1) * images, BATCH)
        shown = [order(images, 3, first, BATCH)[rank::count] for first in firsts for rank in range(count)]
        assert sorted(np.concatenate(shown)) == list(range(images))


def test_the_records_of_two_processes_are_of_the_whole_batch(alone: ganglion.Run, learnt: Learnt, shared: Path) -> None:
    one, two = (run.records()[-1] for run in (alone, ganglion.Run(shared)))
    assert one.keys() == two.keys()
    keys = (
        "loss_d",
        "loss_g",
        "loss_d_r1",
        "logit_real",
        "logit_fake",
        "logit_real_std",
        "separation",
        "grad_d",
        "grad_g",
    )
    for key in keys:
        assert two[key] == pytest.approx(one[key], rel=1e-3, abs=1e-5), key
    assert sum(two["logits"]["real"]) == sum(one["logits"]["real"])
