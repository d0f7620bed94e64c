"""What of a recipe is not as in the preset that it is based on."""

from __future__ import annotations

import pytest

from ganglion.recipe.deviations import Deviation, deviations
from ganglion.recipe.resolve import preset_names, resolve


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_deviates_in_nothing(name: str) -> None:
    assert dict(deviations(resolve(name, {"data.source": "photos/", "data.size": 64, "training.minutes": 3}))) == {}


def test_values_are_found_by_key_with_both_numbers_and_their_quotient() -> None:
    found = deviations(resolve("dcgan", {"optimizer.generator.lr": 2e-6, "generator.width": 128, "training.batch": 8}))
    assert dict(found) == {"generator.width": Deviation(128, 64), "optimizer.generator.lr": Deviation(2e-6, 2e-4)}
    assert found["generator.width"].factor == 2
    assert found["optimizer.generator.lr"].texts == ("2e-06", "0.0002")


@pytest.mark.parametrize("one", [Deviation("batch", "none"), Deviation(None, 0.5), Deviation(0, 2), Deviation(True, 1)])
def test_what_is_no_positive_number_has_no_quotient(one: Deviation) -> None:
    assert one.factor is None


def test_networks_and_losses_that_replace_the_presets_are_left_out() -> None:
    skip = resolve("dcgan", {"generator.family": "skip", "discriminator.family": "skip", "init.std": 0.5})
    assert set(deviations(skip)) == {"init.std"}
    own_loss = resolve("dcgan", {"objective.adversarial": "custom", "objective.custom_loss": {"name": "mine"}})
    assert dict(deviations(own_loss)) == {}


def test_a_recipe_of_ones_own_is_based_on_no_preset() -> None:
    mine = resolve("dcgan", {"init.std": 0.5}).model_copy(update={"name": "mine"})
    assert dict(deviations(mine)) == {}


def test_penalties_are_shown_by_kind_and_weight() -> None:
    penalties = [{"kind": "r1", "weight": 30}, {"kind": "lecam", "weight": 0.3}]
    (found,) = deviations(resolve("fast", {"objective.penalties": penalties})).values()
    assert found.texts == ("r1 30 and lecam 0.3", "r1 1")
    other_order = {"objective.penalties": [one.model_dump() for one in reversed(resolve("r3gan").objective.penalties)]}
    assert dict(deviations(resolve("r3gan", other_order))) == {}
    (found,) = deviations(resolve("fast", {"objective.penalties": []})).values()
    assert found.texts == ("none", "r1 1")
