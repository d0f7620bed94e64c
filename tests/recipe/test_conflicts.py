from __future__ import annotations

import re
from pathlib import Path

import pytest

from ganglion.errors import RecipeError
from ganglion.recipe.resolve import flatten, preset_names, preset_text, resolve

DOCS = Path(__file__).parents[2] / "docs"

ON_GRADIENT = ["r1", "r2", "wgan-gp", "wgan-lp", "dragan"]


def penalty(kind: str) -> dict[str, object]:
    return {"objective.penalties": [{"kind": kind}]}


@pytest.mark.parametrize("kind", ON_GRADIENT)
def test_a_penalty_on_ds_gradient_with_batch_norm_in_d_is_refused_with_the_papers_reason(kind: str) -> None:
    with pytest.raises(
        RecipeError, match=rf"penalty {kind} .* batch norm .*Gulrajani .* set discriminator.norm to layer"
    ):
        resolve("dcgan", penalty(kind))
    for norm in ("layer", "instance", "none", "virtual-batch"):
        resolve("dcgan", penalty(kind) | {"discriminator.norm": norm})


def test_a_penalty_on_ds_logits_goes_with_batch_norm() -> None:
    assert resolve("dcgan", penalty("lecam")).objective.penalties[0].kind == "lecam"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"objective.weight_clip": 0.01, "discriminator.spectral_norm": True},
            "objective.weight_clip clips .*discriminator.spectral_norm",
        ),
        ({"objective.real_label": 0.9, "objective.adversarial": "hinge"}, "the loss hinge has no labels"),
        (
            {"balance.updates": "simultaneous", "objective.feature_matching.weight": 1.0},
            "has no term for feature matching",
        ),
        ({"objective.adversarial_weight": 0}, "G would have no loss"),
        (
            {"objective.penalties": [{"kind": "reconstruction"}]},
            "reconstruction needs the decoders of D's family fastgan, and discriminator.family is dcgan; set",
        ),
        (
            {"objective.penalties": [{"kind": "lecam"}, {"kind": "lecam", "weight": 2}]},
            "lecam more than once; keep one",
        ),
        (
            {"augment.kind": "ada", "objective.adversarial": "least-squares"},
            "has no meaning under the loss least-squares",
        ),
        ({"augment.kind": "ada", "objective.adversarial": "relativistic"}, "set augment.kind to diffaugment"),
        ({"data.size": 64, "objective.feature_matching.layer": 4}, "at this size D has the blocks 0 to 3 .*-1 to -4"),
        ({"data.size": 64, "objective.feature_matching.layer": -5}, "at this size D has the blocks 0 to 3"),
        (
            {"data.conditional": True, "generator.conditioning": "norm", "generator.norm": "none"},
            "set generator.conditioning to embedding",
        ),
    ],
)
def test_parts_that_cannot_work_together_are_refused_with_the_reason(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        resolve("dcgan", changes)


def test_each_of_them_is_fine_without_the_other() -> None:
    for changes in (
        {"objective.weight_clip": 0.01}, {"discriminator.spectral_norm": True}, {"objective.real_label": 0.9},
        {"objective.adversarial_weight": 0, "objective.feature_matching.weight": 1},
        {"data.conditional": True, "generator.norm": "virtual-batch"},
        {"augment.kind": "ada", "objective.adversarial": "hinge"}, {"augment.kind": "ada"},
        {"data.size": [64, 64], "objective.feature_matching.layer": 3}, {"objective.feature_matching.layer": 99},
        {"data.conditional": True, "generator.conditioning": "norm"},
        {"generator.conditioning": "norm", "generator.norm": "none"},
    ):  # fmt: skip
        flat = flatten(resolve("dcgan", changes))
        assert {key: flat[key] for key in changes} == changes


# Choices of parts


def test_another_family_keeps_the_values_that_it_knows_and_drops_the_others() -> None:
    recipe = resolve("dcgan", {"generator.family": "resnet", "generator.width": 24})
    assert recipe.generator.family == "resnet"
    assert (recipe.generator.width, recipe.generator.norm) == (24, "batch")  # type: ignore[union-attr]
    rmsprop = resolve("dcgan", {"optimizer.discriminator.kind": "rmsprop"}).optimizer.discriminator
    assert (rmsprop.kind, rmsprop.lr) == ("rmsprop", 2e-4)


def test_the_order_of_overrides_does_not_matter() -> None:
    changes = {"generator.blocks": 3, "generator.family": "r3gan", "generator.width": 8}
    assert resolve("dcgan", changes) == resolve("dcgan", dict(reversed(changes.items())))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"generator.family": "resnett"},
            "'resnett' is not allowed; allowed: dcgan, resnet, r3gan, skip, fastgan, custom; did you mean 'resnet'",
        ),
        (
            {"generator.family": "resnet", "generator.kernel": 5},
            "generator.kernel: there is no such key; it belongs to generator.family dcgan",
        ),
        ({"augment.policy": ["color"]}, "augment.policy: there is no such key; it belongs to augment.kind diffaugment"),
        ({"optimizer.generator.lr": -1}, r"^optimizer.generator.lr: -1 .*Learning rate"),
        ({"generator.width": 0}, r"^generator.width: 0 should be greater"),
        ({"objective.penalties": [{"kind": "r3"}]}, r"^objective.penalties.0.kind: 'r3' is not allowed; allowed: r1, r2"),
        ({"augment.kind": "diffaug"}, "did you mean 'diffaugment'"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_choice_is_named_without_pydantics_own_words(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        resolve("dcgan", changes)


def test_a_file_may_leave_out_which_part_it_means(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "mine.yaml"
    file.write_text("generator: {width: 5}\noptimizer: {generator: {lr: 0.001}}\ntraining: {steps: 3}\n")
    recipe = resolve(file)
    assert (recipe.generator.family, recipe.generator.width, recipe.optimizer.generator.kind) == (
        "dcgan",
        5,
        "adam",
    )


# Presets


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_resolves_and_says_at_its_head_what_it_is(name: str) -> None:
    assert resolve(name).name == name
    assert len(preset_text(name).splitlines()[0]) > 40


CITED = [name for name in preset_names() if name not in ("auto", "fast")]


@pytest.mark.parametrize("name", CITED)
def test_a_preset_from_the_literature_names_its_source(name: str) -> None:
    head = preset_text(name).split("\n\n")[0]
    assert "arXiv" in head


@pytest.mark.parametrize("name", preset_names())
def test_every_value_of_a_preset_has_its_reason_beside_it_or_at_the_head_of_its_part(name: str) -> None:
    head = ""
    for line in preset_text(name).splitlines():
        if line.startswith("#") or not line:
            continue
        if not line.startswith(" "):
            head = line
        elif not line.rstrip().endswith(":"):
            assert "#" in line or "#" in head, f"{name}: {line.strip()}"


def test_the_presets_are_those_that_the_documentation_lists() -> None:
    rows = (DOCS / "recipes.md").read_text(encoding="utf-8").split("\n\n")
    table = next(part for part in rows if part.startswith("| recipe | description |"))
    assert preset_names() == sorted(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE))


def test_the_papers_numbers_stand_in_their_recipes() -> None:
    wgan, gp, improved, fm = (resolve(name) for name in ("wgan", "wgan-gp", "improved", "dcgan-fm"))
    assert (wgan.objective.weight_clip, wgan.balance.d_steps, wgan.optimizer.generator.lr) == (0.01, 5, 5e-5)
    assert wgan.optimizer.generator.kind == wgan.optimizer.discriminator.kind == "rmsprop"
    assert [(p.kind, p.weight) for p in gp.objective.penalties] == [("wgan-gp", 10)]
    assert (gp.balance.d_steps, gp.optimizer.generator.beta1, gp.optimizer.generator.beta2) == (5, 0.0, 0.9)  # type: ignore[union-attr]
    five = (
        improved.objective.real_label,
        improved.objective.feature_matching.weight > 0,
        improved.objective.historical_averaging_weight > 0,
    )
    assert five == (0.9, True, True)
    assert (improved.generator.norm, improved.discriminator.minibatch) == ("virtual-batch", "discrimination")  # type: ignore[union-attr]
    assert (fm.latent.prior, fm.latent.dim, fm.generator.kernel, fm.balance.g_steps) == ("uniform", 100, 5, 2)  # type: ignore[union-attr]
    assert fm.objective.feature_matching.weight == 0.1


@pytest.mark.parametrize("changes", [{"objective.real_label": 0.9}, {"augment.kind": "ada"}])
def test_what_needs_logits_of_a_probability_goes_with_a_loss_that_says_it_has_them(changes: dict[str, object]) -> None:
    own = {"objective.adversarial": "custom", "objective.custom_loss": {"name": "mine", "probability_logits": True}}
    assert resolve("dcgan", own | changes).objective.traits.name == "mine"
    without = own | {"objective.custom_loss": {"name": "mine"}}
    with pytest.raises(RecipeError, match="the loss mine"):
        resolve("dcgan", without | changes)


def test_networks_of_ones_own_may_have_any_size_and_ours_only_sizes_that_doublings_reach() -> None:
    own = {f"{part}.{key}": value for part in ("generator", "discriminator")
           for key, value in (("family", "custom"), ("digest", "x"))}  # fmt: skip
    assert resolve("dcgan", own | {"data.size": "7x50"}).data.size == (7, 50)
    with pytest.raises(RecipeError, match="data.size: 7x50 cannot be reached by doubling"):
        resolve("dcgan", {"data.size": "7x50"})
