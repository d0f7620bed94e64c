"""Every remedy on every recipe: it resolves, changes what it says in the direction it says, and nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ganglion.doctor.examine import examine
from ganglion.doctor.findings import RULES
from ganglion.doctor.remedies.idea import UNKNOWN, Idea, Known
from ganglion.doctor.remedies.propose import MOST, fitting, proposed, tried
from ganglion.doctor.remedies.training import ANOTHER_RECIPE, AS_IN_RECIPE
from ganglion.doctor.run_setup import RunSetup, assignments, changed
from ganglion.recipe.explain import known_keys
from ganglion.recipe.resolve import flatten, preset_names, resolve
from ganglion.recipe.schema import Recipe
from made_records import SICK, healthy, with_values
from remedy_directions import DIRECTIONS, by_name

IDEAS: dict[str, Idea] = {idea.name: idea for rule in RULES.values() for idea in rule.ideas} | {
    idea.name: idea for idea in (ANOTHER_RECIPE, AS_IN_RECIPE)
}
OWN = {
    f"{player}.{key}": value
    for player in ("generator", "discriminator")
    for key, value in (("family", "custom"), ("digest", "0"), ("file", True))
}
LABELS = {"data.conditional": True, "data.classes": ["a", "b"], "data.class_counts": [50, 50]}
SETTLED = {"data.source": "digits", "data.size": 32, "data.channels": 1, "data.fit": "pad", "data.trim": "off"}
UNUSUAL: dict[str, dict[str, Any]] = {
    "dcgan, own networks": OWN,
    "fast, own networks": OWN,
    "wgan, own networks": OWN,
    "dcgan, no norms": {"generator.norm": "none", "discriminator.norm": "none"},
    "dcgan, minimax": {"objective.adversarial": "minimax", "training.precision": "bf16"},
    "dcgan, with labels": {**LABELS, "data.sampling": "balanced"},
    "dcgan, skip": {"generator.family": "skip", "discriminator.family": "skip"},
    "dcgan, ada": {"augment.kind": "ada"},
    "dcgan, lecam": {"objective.penalties": [{"kind": "lecam", "weight": 0.3}]},
    "small-data, color only": {"augment.policy": ["color"], "data.fit": "crop"},
    "fast, at the bounds": {
        "generator.width": 1024, "discriminator.width": 8, "latent.dim": 4096, "balance.d_steps": 10, "training.batch": 1024,
        "optimizer.generator.lr": 0.05, "optimizer.discriminator.lr": 1e-7, "ema.halflife_kimg": 900,
        "objective.penalties": [{"kind": "r1", "weight": 150.0}],
    },
    "dcgan, own loss": {"objective.adversarial": "custom", "objective.custom_loss": {"name": "mine"}},
    "fast, no average": {"ema.halflife_kimg": 0, "optimizer.warmup_kimg": 3, "training.stop_when_done": True},
    "dcgan, adamw": {"optimizer.generator.kind": "adamw", "optimizer.discriminator.kind": "rmsprop"},
}  # fmt: skip
RECIPES: dict[str, Recipe] = {
    name: resolve(name, {**SETTLED, "training.precision": "32"}) for name in preset_names() if name != "auto"
} | {name: resolve(name.partition(",")[0], SETTLED | extra) for name, extra in UNUSUAL.items()}
D_LARGER = Known(2e-4, 2e-4, 0.2, 0.1, 64, 1e5, 9e6, d_batch_norm=False)
G_LARGER = Known(2e-4, 2e-4, 1e-6, 1e-6, 64, 9e6, 1e5, d_batch_norm=False)
G_SLOW = Known(2e-6, 2e-4, 1e-4, 5e-3, 64)
KNOWN = {"nothing is known": UNKNOWN, "D is larger": D_LARGER, "G is larger": G_LARGER, "G is slow": G_SLOW}
SPANS = re.compile(r"from ([\d.e+-]+) to ([\d.e+-]+)")


def changes(before: Recipe, after: Recipe) -> set[str]:
    old, new = flatten(before), flatten(after)
    return {key for key in {*old, *new} if old.get(key) != new.get(key)}


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
@pytest.mark.parametrize("name", RECIPES)
def test_every_idea_is_taken_by_the_recipe_and_changes_what_it_says_as_it_says(name: str, known: Known) -> None:
    recipe, fit = RECIPES[name], 0
    for idea in IDEAS.values():
        raw = idea.change(recipe, known) if idea.change else None
        change = fitting(idea, recipe, known)
        assert change == raw, f"{idea.name} makes what is refused, or changes nothing: {raw}"
        if change is None or not (change.settings or change.recipe):
            continue
        fit += 1
        after = changed(recipe, assignments(change.settings), change.recipe)
        assert after is not None
        assert DIRECTIONS[idea.name](recipe, after), (idea.name, change)
        if not change.recipe:
            named = tuple(change.settings)
            parts = tuple(key.rpartition(".")[0] + "." for key in named if key.endswith((".kind", ".family")))
            assert all(key.startswith((*named, *parts)) for key in changes(recipe, after)), idea.name
    assert fit >= 10


@pytest.mark.parametrize("name", RECIPES)
def test_the_numbers_in_the_sentence_are_those_of_the_recipe_before_and_after(name: str) -> None:
    told = 0
    for idea in IDEAS.values():
        change = fitting(idea, RECIPES[name], D_LARGER)
        if change is None or not change.settings:
            continue
        after = changed(RECIPES[name], assignments(change.settings))
        assert after is not None
        for low, high in SPANS.findall(change.what):
            pairs = {(by_name(RECIPES[name], key), by_name(after, key)) for key in change.settings}
            weights = {
                (a.weight, b.weight)
                for a, b in zip(RECIPES[name].objective.penalties, after.objective.penalties, strict=False)
            }
            assert (float(low), float(high)) in pairs | weights, change.what
            told += 1
    assert told >= 3


def test_every_idea_that_sets_something_has_a_direction_and_fits_some_recipe() -> None:
    fits = {
        idea.name
        for idea in IDEAS.values()
        for recipe in RECIPES.values()
        for known in (D_LARGER, G_LARGER, G_SLOW)
        if (change := fitting(idea, recipe, known)) and (change.settings or change.recipe)
    }
    assert fits == DIRECTIONS.keys()
    assert {name for name, idea in IDEAS.items() if not idea.by_hand} == DIRECTIONS.keys()


def test_two_ideas_of_one_name_are_one() -> None:
    named: dict[str, set[int]] = {}
    for rule in RULES.values():
        for idea in rule.ideas:
            named.setdefault(idea.name, set()).add(id(idea))
    assert all(len(ideas) == 1 for ideas in named.values())


def test_every_key_that_an_idea_sets_is_one_of_the_recipe() -> None:
    keys = set(known_keys(Recipe))
    for idea in IDEAS.values():
        for recipe in RECIPES.values():
            change = fitting(idea, recipe, D_LARGER)
            for key in change.settings if change else ():
                assert key in keys or any(known.startswith(f"{key}.") for known in keys), key


@pytest.mark.parametrize("name", RECIPES)
def test_no_more_than_three_are_proposed_in_the_order_of_the_finding_and_each_with_a_command(name: str) -> None:
    setup = RunSetup(RECIPES[name], "runs/a", has_checkpoint=True, d_batch_norm=True)
    for code, rule in RULES.items():
        found = proposed(rule.ideas, D_LARGER, True, setup)
        order = [AS_IN_RECIPE.name, *(idea.name for idea in rule.ideas), ANOTHER_RECIPE.name]
        places = [order.index(remedy.name) for remedy in found]
        assert places == sorted(places)
        assert len(found) <= MOST
        assert all(remedy.command for remedy in found if remedy.settings)
        if not all(idea.by_hand for idea in rule.ideas):
            assert found or name.endswith("own networks"), code


# What is there already, or was tried


def test_what_is_there_already_is_left_out_and_the_next_takes_its_place() -> None:
    ideas = RULES["discriminator-wins"].ideas
    first = [remedy.name for remedy in proposed(ideas, UNKNOWN, True, RunSetup(RECIPES["wgan-gp"]))]
    assert first == ["penalise-gradient", "lower-d-rate", "fewer-d-steps"]  # its penalty is there, and can weigh more


@pytest.mark.parametrize("name", ["dcgan", "wgan", "dcgan, own networks"])
@pytest.mark.parametrize("code", RULES)
def test_a_run_that_was_started_with_a_remedy_is_told_the_next_one(name: str, code: str) -> None:
    """From remedy to remedy, none twice, until none is left."""
    setup, seen = RunSetup(RECIPES[name], has_checkpoint=True), list[str]()
    for _ in range(12):
        found = [one for one in proposed(RULES[code].ideas, UNKNOWN, True, setup) if one.settings]
        if not found:
            break
        assert found[0].name not in seen
        seen.append(found[0].name)
        after = changed(setup.recipe, assignments(found[0].settings))
        assert after is not None
        setup = RunSetup(after, has_checkpoint=True, earlier=(setup.recipe, *setup.earlier))
    else:
        pytest.fail("it never ends")


def test_a_remedy_counts_as_tried_by_whatever_factor_and_not_in_the_other_direction() -> None:
    before, idea = RECIPES["fast"], IDEAS["lower-d-rate"]
    for factor, was in ((0.5, True), (0.1, True), (2.0, False), (1.0, False)):
        after = resolve(before, {"optimizer.discriminator.lr": 3e-3 * factor, "training.seed": 5})
        assert tried(idea, RunSetup(after, earlier=(before,))) is was, factor


def test_a_penalty_of_another_kind_is_another_remedy() -> None:
    before, idea = RECIPES["dcgan"], IDEAS["penalise-gradient"]
    r1, lecam = (
        {"objective.penalties": [{"kind": kind, "weight": 2}], "discriminator.norm": "layer"}
        for kind in ("r1", "lecam")
    )
    assert tried(idea, RunSetup(resolve(before, r1), earlier=(before,)))
    assert not tried(idea, RunSetup(resolve(before, lecam), earlier=(before,)))


def test_when_all_was_tried_another_recipe_is_proposed_and_then_nothing() -> None:
    low = RECIPES["wgan"]
    lower = resolve(low, {"optimizer.generator.lr": 5e-4, "optimizer.discriminator.lr": 5e-4})
    found = proposed(RULES["learning-rate-too-low"].ideas, UNKNOWN, True, RunSetup(lower, earlier=(low,)))
    assert [remedy.name for remedy in found] == ["another-recipe"]
    assert "--recipe fast" in found[0].command


# The recipe's own values, and another recipe


def restored(recipe: Recipe, *earlier: Recipe, good_weights: bool = True) -> list[Any]:
    setup = RunSetup(recipe, "runs/a", has_checkpoint=True, earlier=earlier)
    return proposed(RULES["learning-rate-too-low"].ideas, UNKNOWN, True, setup, good_weights)


def test_values_of_ones_own_are_the_first_to_be_doubted() -> None:
    slow = resolve("dcgan", SETTLED | {"optimizer.generator.lr": 1e-6, "optimizer.discriminator.lr": 1e-6})
    first, second, *_ = restored(slow)
    assert first.what == (
        "Take dcgan's own values: optimizer.generator.lr from 1e-06 to 0.0002, optimizer.discriminator.lr from 1e-06 to 0.0002"
    )
    assert (first.name, second.name) == ("as-in-recipe", "raise-both-rates")
    assert "as-in-recipe" not in [remedy.name for remedy in restored(RECIPES["dcgan"])]


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"init.scheme": "xavier"}, {"init.scheme": "normal"}),
        ({"balance.d_steps": 20}, {"balance.d_steps": 1}),
        ({"objective.adversarial": "minimax"}, {"objective.adversarial": "non-saturating"}),
        ({"generator.norm": "none", "generator.width": 16}, {"generator.norm": "batch"}),
        ({"optimizer.discriminator.kind": "rmsprop"}, {
            "optimizer.discriminator.kind": "adam", "optimizer.discriminator.beta1": 0.5,
            "optimizer.discriminator.beta2": 0.999,
        }),
        ({"generator.width": 16, "discriminator.width": 256, "augment.kind": "diffaugment", "training.batch": 8}, None),
        ({"generator.width": 2, "discriminator.width": 2}, None),
        ({"generator.width": 16, "discriminator.width": 2}, {"discriminator.width": 16}),
        ({"generator.width": 4, "discriminator.width": 128}, {"generator.width": 64}),
        ({"generator.width": 4, "discriminator.width": 8}, None),
    ],
)  # fmt: skip
def test_all_but_sizes_batches_and_augmentation_are_put_back_and_narrow_networks_widened(
    settings: dict[str, Any], wanted: dict[str, Any] | None
) -> None:
    change = fitting(AS_IN_RECIPE, resolve("dcgan", SETTLED | settings))
    assert (dict(change.settings) if change else None) == wanted


def test_a_width_that_is_not_the_recipes_is_not_called_its_own() -> None:
    settings = SETTLED | {"generator.width": 16, "discriminator.width": 2}
    change = fitting(AS_IN_RECIPE, resolve("dcgan", settings))
    assert change is not None
    assert change.what == "Widen D from 2 to 16, the same share of its usual width as G has"
    both = fitting(AS_IN_RECIPE, resolve("dcgan", settings | {"init.std": 0.5}))
    assert both is not None
    assert both.what.startswith("Take dcgan's own values: init.std from 0.5 to 0.02; widen D from 2 to 16")


def test_what_a_remedy_has_changed_is_not_put_back() -> None:
    first = resolve("dcgan", SETTLED | {"optimizer.generator.lr": 1e-5})
    treated = resolve(first, {"balance.g_steps": 2, "discriminator.norm": "layer"})
    (found,) = [remedy for remedy in restored(treated, first) if remedy.name == "as-in-recipe"]
    assert dict(found.settings) == {"optimizer.generator.lr": 2e-4}


def test_networks_and_recipes_of_ones_own_have_no_other_values() -> None:
    slow = {"optimizer.generator.lr": 1e-6}
    change = fitting(AS_IN_RECIPE, resolve("dcgan", SETTLED | OWN | slow))
    assert change is not None
    assert dict(change.settings) == {"optimizer.generator.lr": 2e-4}
    mine = resolve("dcgan", SETTLED | slow).model_copy(update={"name": "mine"})
    assert fitting(AS_IN_RECIPE, mine) is None


def test_many_values_are_counted_and_penalties_named_by_kind_and_weight() -> None:
    changed_much = resolve("fast", SETTLED | {
        "objective.penalties": [{"kind": "r1", "weight": 30}, {"kind": "lecam", "weight": 0.3}], "balance.d_steps": 2,
        "balance.g_steps": 2, "optimizer.generator.lr": 1e-5, "optimizer.discriminator.lr": 1e-5,
    })  # fmt: skip
    change = fitting(AS_IN_RECIPE, changed_much)
    assert change is not None
    assert "objective.penalties from r1 30 and lecam 0.3 to r1 1" in change.what
    assert change.what.endswith(" and 1 more")


def test_where_the_weights_are_of_no_use_another_recipe_is_the_second() -> None:
    names = [remedy.name for remedy in restored(RECIPES["dcgan"], good_weights=False)]
    assert names[:2] == ["raise-both-rates", "another-recipe"]
    assert "another-recipe" not in [remedy.name for remedy in restored(RECIPES["dcgan"])]


# Records


def test_how_far_rates_fall_or_rise_follows_from_the_size_of_the_updates() -> None:
    recipe = RECIPES["dcgan"]
    high = {known.update_g: fitting(IDEAS["lower-both-rates"], recipe, known) for known in (UNKNOWN, D_LARGER)}
    assert [change.settings["optimizer.generator.lr"] for change in high.values() if change] == [5e-5, 5e-6]
    slow = fitting(IDEAS["raise-g-rate"], recipe, G_SLOW)
    assert slow is not None
    assert dict(slow.settings) == {"optimizer.generator.lr": 0.01}
    assert fitting(IDEAS["raise-both-rates"], recipe, G_SLOW) is None
    assert fitting(IDEAS["raise-g-rate"], recipe, Known(update_g=1e-4, update_d=1e-4)) is None
    low = fitting(IDEAS["raise-both-rates"], recipe, Known(update_g=1e-4, update_d=1e-4))
    assert low is not None
    assert low.settings["optimizer.generator.lr"] == 0.01


def test_the_larger_network_is_the_one_that_shrinks() -> None:
    for known, key in ((D_LARGER, "discriminator.width"), (G_LARGER, "generator.width")):
        change = fitting(IDEAS["equal-sizes"], RECIPES["dcgan"], known)
        assert change is not None
        assert set(change.settings) == {key}
    assert fitting(IDEAS["equal-sizes"], RECIPES["dcgan"], UNKNOWN) is None


def test_networks_of_ones_own_get_a_penalty_only_where_no_batch_norm_is_in_the_way() -> None:
    for norm, fits in ((False, True), (True, False), (None, False)):
        known = UNKNOWN._replace(d_batch_norm=norm)
        assert (fitting(IDEAS["penalise-gradient"], RECIPES["dcgan, own networks"], known) is not None) is fits


# Without a recipe


def test_a_loop_of_ones_own_is_told_its_own_numbers() -> None:
    records = with_values(SICK["discriminator-wins"], {"lr_d": 0.01, "lr_g": 0.002})
    finding = next(f for f in examine(records, own_run=False).findings if f.code == "discriminator-wins")
    lower = next(remedy for remedy in finding.remedies if remedy.name == "lower-d-rate")
    assert str(lower) == "Lower D's learning rate: yours is 0.01, set it to 0.001"
    assert not lower.settings
    assert not lower.command


def test_a_loop_whose_numbers_are_not_known_is_told_the_factor() -> None:
    records = [{k: v for k, v in record.items() if not k.startswith("lr_")} for record in SICK["discriminator-wins"]]
    finding = next(f for f in examine(records, own_run=False).findings if f.code == "discriminator-wins")
    assert "a quarter of D's learning rate" in [remedy.code for remedy in finding.remedies]


@pytest.mark.parametrize("code", RULES)
def test_records_alone_give_words_and_no_command(code: str) -> None:
    finding = next(f for f in examine(SICK[code]).findings if f.code == code)
    assert finding.remedies
    assert all(remedy.what and not (remedy.settings or remedy.command) for remedy in finding.remedies)
    assert finding.remedy == str(finding.remedies[0])


def test_a_run_that_was_never_near_the_data_starts_over_and_one_that_was_goes_on() -> None:
    setup = RunSetup(RECIPES["fast"], "runs/a", has_checkpoint=True)
    for records, start in ((SICK["mode-collapse"], "--recipe runs/a/recipe.yaml"), (_late(), "--from runs/a:best")):
        finding = examine(records, setup=setup).findings[0]
        commands = [remedy.command for remedy in finding.remedies if not remedy.recipe]
        assert commands
        assert all(f" {start} " in command for command in commands)


def _late() -> list[dict[str, Any]]:
    return with_values(healthy(), {"swd": 480.0, "diversity": 0.1, "contrast": 1.0}, first=30)
