from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion.data.batches import Batches
from ganglion.errors import DataError
from ganglion.networks.build import Cost
from ganglion.networks.layers import REFERENCE
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import Request, preset_names, resolve
from ganglion.training.check import Check, check
from ganglion.training.prepare import build_first_players, prepare_run
from ganglion.training.remarks import of_balance, of_first_weights, of_values
from ganglion.vitals.gradients import LayerSignal
from tiny import TINY


def looked(source: str | Path, cache: Path, **more: object) -> Check:
    settings = {**TINY, **more.pop("set", {})}  # type: ignore[dict-item]
    return check(
        source,
        recipe="dcgan",
        size=16,
        kimg=10,
        device="cpu",
        cache=cache,
        quiet=True,
        seconds=0.1,
        set=settings,
        **more,
    )  # type: ignore[arg-type]


def remarks(found: Check, topic: str) -> list[tuple[str, str]]:
    return [(remark.level, remark.text) for remark in found.remarks if remark.topic == topic]


def saved(tmp_path: Path, images: np.ndarray) -> Path:
    np.save(tmp_path / "images.npy", images.astype(np.uint8))
    return tmp_path / "images.npy"


NOISE = np.random.default_rng(0).integers(0, 256, (400, 16, 16, 1))


def test_sound_images_and_first_weights_are_fine_and_the_budget_is_foretold(cache: Path) -> None:
    found = looked("digits", cache, set={"generator.width": 16, "discriminator.width": 16})
    assert found.state == "fine"
    assert found.images == 1797
    assert found.images_per_sec > 0
    assert found.minutes == pytest.approx(10_000 / found.images_per_sec / 60, rel=0.01)
    assert [layer.name for layer in found.signals_d] == ["blocks.0.convolution", "blocks.1.convolution", "head.linear"]
    assert found.memory.startswith("a step needs less than")
    assert found.micro_batch is None
    json.dumps(found.to_json())


def test_it_trains_in_the_micro_batches_that_were_asked_for(cache: Path) -> None:
    found = looked(
        "digits", cache, set={"training.micro_batch": 4, "generator.norm": "none", "discriminator.norm": "none"}
    )
    assert found.micro_batch == 4
    assert found.images_per_sec > 0


@pytest.mark.parametrize(("n", "level"), [(20, "failing"), (200, "watch"), (400, "fine")])
def test_few_images_are_said(tmp_path: Path, cache: Path, n: int, level: str) -> None:
    ((found, text),) = remarks(looked(saved(tmp_path, NOISE[:n]), cache), "number")
    assert found == level
    assert f"{n:,} images" in text


def test_images_that_are_there_twice_are_said(tmp_path: Path, cache: Path) -> None:
    twice = np.concatenate([NOISE[:360], NOISE[:40] + (NOISE[:40] < 255)])
    ((level, text),) = remarks(looked(saved(tmp_path, twice), cache), "copies")
    assert level == "watch"
    assert text.startswith("20% of the images nearly equal another one")


@pytest.mark.parametrize(("duplicates", "level"), [("keep", "watch"), ("drop", "fine")])
def test_images_that_are_equal_are_said_once_with_what_to_do(
    tmp_path: Path, cache: Path, duplicates: str, level: str
) -> None:
    source = saved(tmp_path, np.concatenate([NOISE[:360], NOISE[:40]]))
    found = looked(source, cache, set={"data.duplicates": duplicates})
    ((how, text),) = remarks(found, "copies")
    assert how == level
    assert text.startswith("40 ")
    assert ("data.duplicates=drop" in text) == (duplicates == "keep")


def test_augmentation_is_advised_where_there_is_none(tmp_path: Path, cache: Path) -> None:
    source = saved(tmp_path, NOISE[:200])
    plain, augmented = (looked(source, cache, set={"augment.kind": kind}) for kind in ("none", "diffaugment"))
    assert [("augment them" in remarks(found, "number")[0][1]) for found in (plain, augmented)] == [True, False]


def test_images_that_were_saved_without_scaling_would_fail(tmp_path: Path, cache: Path) -> None:
    found = looked(saved(tmp_path, NOISE // 255), cache)
    assert found.state == "failing"
    assert remarks(found, "range")[0][1].startswith("all pixels are in 0..1 of 0..255")


def test_first_weights_that_are_too_large_and_too_small_are_found_at_step_0(cache: Path) -> None:
    bare = {"generator.norm": "none", "discriminator.norm": "none", "generator.width": 32}
    large = looked("digits", cache, set={**bare, "init.std": 0.4})
    small = looked("digits", cache, set={**bare, "init.std": 0.005})
    assert remarks(large, "initial weights")[0][0] == "failing"
    assert "black or white" in remarks(large, "initial weights")[0][1]
    assert "nearly uniform gray" in remarks(small, "initial weights")[0][1]
    assert not remarks(looked("digits", cache, set={**bare, "init.scheme": "kaiming"}), "initial weights")


@pytest.mark.parametrize(
    ("recipe", "settings", "told"),
    [
        ("dcgan", {"optimizer.generator.lr": 1e-6}, "generator.lr is 1e-06, dcgan has 0.0002: G's weights may hardly change"),
        ("dcgan", {"optimizer.discriminator.lr": 0.5}, "dcgan has 0.0002: D's weights may change too fast"),
        ("dcgan", {"discriminator.width": 4}, "discriminator.width is 4, dcgan has 64: D may be too narrow for these images"),
        ("dcgan", {"init.std": 1.0}, "init.std is 1, dcgan has 0.02: far from what it was tried with"),
        ("wgan", {"objective.weight_clip": 1e-4}, "objective.weight_clip is 0.0001, wgan has 0.01: far from"),
        ("fast", {"objective.penalties": [{"kind": "r1", "weight": 1000}]}, "penalties is r1 1000, fast has r1 1: far from"),
        ("r3gan", {"objective.penalties": [{"kind": "r2", "weight": 5000}, {"kind": "r1", "weight": 5000}]}, "far from"),
        ("wgan", {"optimizer.generator.kind": "adam", "optimizer.generator.lr": 2e-3}, None),
        ("dcgan", {"optimizer.generator.lr": 1e-4, "generator.width": 16, "balance.d_steps": 9, "latent.dim": 2}, None),
        ("fast", {"objective.penalties": [{"kind": "lecam", "weight": 1000}]}, None),
    ],
)  # fmt: skip
def test_values_far_from_those_of_the_recipe_are_said(
    recipe: str, settings: dict[str, object], told: str | None
) -> None:
    found = of_values(resolve(recipe, settings))
    assert [remark.level for remark in found] == (["watch"] if told else [])
    assert not told or told in found[0].text


@pytest.mark.parametrize("name", preset_names())
def test_no_recipe_is_far_from_itself(name: str) -> None:
    assert of_values(resolve(name)) == []


def test_values_are_checked_with_the_rest(cache: Path) -> None:
    ((level, text),) = remarks(looked("digits", cache, set={
        "generator.width": 16, "discriminator.width": 16, "optimizer.generator.lr": 1e-7,
    }), "values")  # fmt: skip
    assert level == "watch"
    assert "optimizer.generator.lr is 1e-07" in text


def test_networks_of_very_different_size_are_said() -> None:
    assert of_balance(Cost(10, 100), Cost(10, 300))[0].level == "fine"
    (found,) = of_balance(Cost(10, 10_000), Cost(10, 100))
    assert (found.level, "G needs 100 times as many operations" in found.text) == ("watch", True)


def test_layers_of_very_different_gradients_are_said() -> None:
    layers = [LayerSignal("a", 1.0, 1e-6, 1.0), LayerSignal("b", 1.0, 1.0, 1.0)]
    levels = [remark.level for remark in of_first_weights(layers, layers[1:], torch.linspace(-1, 1, 8))]
    assert levels == ["watch", "fine"]


@pytest.mark.parametrize(
    ("gradients", "weights", "level", "told"),
    [
        ((1.0, 0.0, 0.0), (1.0, 1.0, 1.0), "watch", "2 of G's 3 layers get no gradient"),
        ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "watch", "3 of G's 3 layers"),
        ((math.nan, 1.0, 1.0), (1.0, 1.0, 1.0), "failing", "not finite"),
        ((math.inf, 1.0, 1.0), (1.0, 1.0, 1.0), "failing", "not finite"),
        ((1.0, 0.0, 1.0), (1.0, 1.0, 0.0), "fine", "within a factor of 1"),
    ],
)
def test_layers_without_a_gradient_are_said_unless_one_begins_at_zero(
    gradients: tuple[float, ...], weights: tuple[float, ...], level: str, told: str
) -> None:
    layers = [LayerSignal("a", 1.0, gradient, weight) for gradient, weight in zip(gradients, weights, strict=True)]
    found = of_first_weights(layers, [LayerSignal("a", 1.0, 1.0, 1.0)], torch.linspace(-1, 1, 8))[-2]
    assert found.level == level
    assert told in found.text


def test_layers_that_begin_at_zero_and_those_before_them_are_not_compared(cache: Path) -> None:
    """R3GAN's blocks end in weights of zero, so that no gradient reaches their other layers at first."""
    narrow = {
        "generator.width": 16,
        "discriminator.width": 16,
        "generator.group": 4,
        "discriminator.group": 4,
        "training.batch": 8,
    }
    found = check("digits", recipe="r3gan", size=16, device="cpu", cache=cache, quiet=True, seconds=0.05, set=narrow)
    assert any(layer.gradient == 0 for layer in found.signals_g)
    assert [level for level, _ in remarks(found, "gradients")] == ["fine", "fine"]


@pytest.mark.parametrize("recipe", ["improved", "r3gan", "wgan-gp", "sngan"])
def test_every_kind_of_recipe_can_be_checked(recipe: str, cache: Path) -> None:
    narrow = {"generator.width": 4, "discriminator.width": 4, "training.batch": 8}
    found = check("digits", recipe=recipe, size=16, device="cpu", cache=cache, quiet=True, seconds=0.05, set=narrow)
    assert found.signals_g
    assert found.kimg > 0


def test_it_refuses_what_training_would_refuse(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(DataError, match="data.held_out_images is 400, and there are 400 images"):
        looked(saved(tmp_path, NOISE), cache, set={"data.held_out_images": 400})


def test_d_measures_against_images_that_it_trains_on(cache: Path) -> None:
    """One way for `check` and `train`: the reference batch, which holds no image that is kept from training."""
    norm = {"discriminator.norm": "virtual-batch", "data.held_out_images": 1700}
    request: Request = {"recipe": "improved", "size": 16, "set": {**TINY, **norm}}
    prepared = prepare_run("digits", request, Screen(quiet=True), "cpu", 1, cache)
    recipe, store = prepared.recipe, prepared.store
    batches = Batches(store, 0, torch.device("cpu"), False, recipe.data.held_out_images or 0)
    reference = build_first_players(recipe, batches).discriminator.reference
    assert reference is not None
    assert len(reference) == REFERENCE
    seen = batches.pick(batches.seen).images
    assert all(bool((seen == image).flatten(1).all(1).any()) for image in reference)
    assert looked("digits", cache, set=norm).signals_d
