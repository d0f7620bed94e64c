from __future__ import annotations

import pytest

from ganglion.recipe.attributes import Attribute
from ganglion.recipe.auto import FEW, DataFacts, choose
from ganglion.recipe.resolve import resolve

FACTS = DataFacts(images=60_000, size=(32, 32), channels=1, classes=10, device="cpu", smallest_class=5_000)


@pytest.mark.parametrize(
    ("images", "recipe"), [(100, "small-data"), (FEW - 1, "small-data"), (FEW, "fast"), (10**6, "fast")]
)
def test_few_images_get_augmentation(images: int, recipe: str) -> None:
    choice = choose(FACTS._replace(images=images))
    assert choice.recipe == recipe
    assert f"{images:,}" in choice.reasons["recipe"]


def test_larger_images_get_more_time() -> None:
    minutes = [choose(FACTS._replace(size=size)).overrides["training.minutes"] for size in
               ((16, 16), (32, 64), (64, 64), (96, 64), (128, 128), (256, 256))]  # fmt: skip
    assert minutes == sorted(minutes, key=float)
    assert len(set(minutes)) == 4


def test_a_gpu_gets_wider_networks_for_many_images_alone_and_a_cpu_the_recipes_own() -> None:
    assert "generator.width" not in choose(FACTS).overrides
    assert choose(FACTS._replace(device="cuda")).overrides["generator.width"] == 64
    assert "generator.width" not in choose(FACTS._replace(device="cuda", images=4_999)).overrides


@pytest.mark.parametrize(
    ("classes", "smallest", "conditional"),
    [(10, 6_000, True), (10, 500, True), (10, 499, False), (2, 10, False), (0, 60_000, False)],
)
def test_classes_are_used_where_each_has_enough_images(classes: int, smallest: int, conditional: bool) -> None:
    choice = choose(FACTS._replace(classes=classes, smallest_class=smallest))
    assert choice.overrides.get("data.conditional", False) == conditional
    assert any(f"has {smallest:,} images, fewer than 500" in why for why in choice.reasons.values()) == (
        classes > 0 and not conditional
    )
    assert any(f"{classes} classes" in reason for reason in choice.reasons.values()) == (classes > 0)


@pytest.mark.parametrize(("images", "conditional"), [(1999, False), (2000, True)])
def test_attributes_are_used_where_there_are_enough_images_for_each(images: int, conditional: bool) -> None:
    hair = Attribute(name="hair", kind="class", classes=("red", "black", "gray"))
    columns = (hair, Attribute(name="age", kind="number", mean=40))
    choice = choose(FACTS._replace(images=images, classes=0, attributes=columns, labels_file="labels.csv"))
    assert choice.overrides.get("data.conditional", False) == conditional
    assert "2 columns of labels.csv" in choice.reasons["data.conditional"]
    assert choice.reasons["data.conditional"].startswith(
        "conditional" if conditional else "not conditional: 1,999 images are fewer than 500"
    )


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("images", [200, 50_000])
def test_whatever_it_chooses_is_a_sound_recipe(device: str, images: int) -> None:
    choice = choose(FACTS._replace(device=device, images=images))
    recipe = resolve(choice.recipe, choice.overrides)
    assert recipe.name == choice.recipe


@pytest.mark.parametrize(
    ("images", "p_value", "photographs", "flip"),
    [(80, 0.4, True, True), (300, 0.4, False, True), (80, 0.4, False, False), (300, 0.01, True, False), (300, None, True, None),
     (FEW, 0.4, True, None)],
)  # fmt: skip
def test_images_are_flipped_where_their_mirror_images_cannot_be_told_from_them(
    images: int, p_value: float | None, photographs: bool, flip: bool | None
) -> None:
    choice = choose(FACTS._replace(images=images, mirror_p_value=p_value, photographs=photographs))
    assert choice.overrides.get("augment.flip") == flip
    assert any(reason.startswith("flip ") for reason in choice.reasons.values()) == (flip is not None)
    assert resolve(choice.recipe, choice.overrides).augment.flip == bool(flip)


def test_no_flips_where_attributes_are_conditions_and_one_may_be_left() -> None:
    attributes = (Attribute(name="left", kind="yes-no"),)
    choice = choose(
        FACTS._replace(images=4_000, classes=0, mirror_p_value=0.9, photographs=True, attributes=attributes)
    )
    assert choice.overrides["data.conditional"] is True
    assert choice.overrides["augment.flip"] is False
    assert "left and right may be among the attributes" in choice.reasons["augment.flip"]
