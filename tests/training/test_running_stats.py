from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.recipe.parts import Balance
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from ganglion.training.running_stats import HORIZON, RunningStats, logit_summary


def recipe(**changes: object) -> Recipe:
    return resolve("dcgan", {key.replace("__", "."): value for key, value in changes.items()})


def memory(settings: Recipe) -> RunningStats:
    return RunningStats(settings, nn.Linear(2, 1), nn.Linear(1, 1))


def test_an_observation_is_means_separation_and_sign() -> None:
    seen = logit_summary(torch.tensor([2.0, -1.0, 3.0]), torch.tensor([-2.0, 0.0, 1.0]))
    assert seen.tolist() == pytest.approx([4 / 3, -1 / 3, 7 / 9, 1 / 3])


def test_running_means_begin_as_plain_means_and_then_forget() -> None:
    settings = recipe()
    found, values = memory(settings), np.random.default_rng(0).normal(size=(200, 4))
    for row in values:
        found.update(torch.tensor(row), settings, 64)
        if found.updates == 4:
            assert found.means.tolist() == pytest.approx(values[:4].mean(0).tolist(), abs=1e-5)
    by_hand = np.zeros(4)
    for step, row in enumerate(values, start=1):
        by_hand += (row - by_hand) / np.minimum(step, list(HORIZON.values()))
    assert found.means.tolist() == pytest.approx(by_hand.tolist(), abs=1e-4)
    assert float(found.mean("separation")) == pytest.approx(by_hand[2], abs=1e-4)


@pytest.mark.parametrize(
    ("separation", "stall", "waiting"),
    [(0.95, 0.9, (True, False)), (0.85, 0.9, (False, False)), (0.05, 0.9, (False, True)), (0.99, None, (False, False))],
)
def test_the_player_whose_lead_is_too_large_waits(
    separation: float, stall: float | None, waiting: tuple[bool, bool]
) -> None:
    settings = recipe(balance__pause_above_auc=stall)
    found = memory(settings)
    assert found.paused(settings.balance) == (False, False)  # nothing is known yet
    found.update(torch.tensor([0.0, 0.0, separation, 0.0]), settings, 64)
    assert found.paused(Balance(pause_above_auc=stall)) == waiting


@pytest.mark.parametrize(("stall", "number"), [(None, 11), (0.9, 7)])
def test_only_the_updates_that_d_makes_are_numbered(stall: float | None, number: int) -> None:
    settings = recipe(balance__pause_above_auc=stall, balance__d_steps=2)
    found = memory(settings)
    if stall is not None:
        found.skipped_updates += 4
    assert found.d_update_number(settings.balance, step=5, turn=1) == number


def test_the_strength_moves_under_ada_alone() -> None:
    sure = torch.tensor([1.0, -1.0, 1.0, 1.0])
    for kind, expected in (("ada", 0.002), ("diffaugment", 0.0), ("none", 0.0)):
        settings = recipe(augment__kind=kind)
        found = memory(settings)
        found.update(sure, settings, 1000)
        assert float(found.strength) == pytest.approx(expected)  # 1,000 of 500,000 images


def test_history_is_the_mean_of_all_weights_so_far_the_first_included() -> None:
    network, settings = nn.Linear(2, 1), recipe(objective__historical_averaging_weight=0.5)
    found = RunningStats(settings, network, nn.Linear(1, 1))
    seen = [network.weight.detach().clone()]
    for step in range(1, 6):
        with torch.no_grad():
            network.weight += step
        seen.append(network.weight.detach().clone())
        found.update_mean_weights("generator", network, 1 / (step + 1))
    mean = torch.stack(seen).mean(0)
    assert torch.allclose(found.mean_weights["generator"].weight, mean, atol=1e-6)
    pulled = found.historical_averaging(0.5, "generator", network)["historical_averaging"]
    assert pulled.item() == pytest.approx(0.5 * float((network.weight - mean).detach().square().sum()), rel=1e-5)


def test_without_history_nothing_is_kept_or_added() -> None:
    found = memory(recipe())
    found.update_mean_weights("generator", nn.Linear(2, 1), 0.5)
    assert len(found.mean_weights) == 0
    assert found.historical_averaging(0.0, "generator", nn.Linear(2, 1)) == {}


def test_all_of_it_comes_back_from_a_checkpoint() -> None:
    settings = recipe(objective__historical_averaging_weight=1.0, augment__kind="ada")
    found, other = memory(settings), memory(settings)
    found.update(torch.tensor([1.0, 2.0, 0.9, 1.0]), settings, 1000)
    other.load_state_dict(found.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(found.state_dict().values(), other.state_dict().values(), strict=True))
    assert {"means", "updates", "skipped_updates", "strength"} < set(found.state_dict())
