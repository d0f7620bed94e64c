"""Chooses a recipe by images and hardware, with reasons. The thresholds come from the measurements in docs/recipes.md."""

from __future__ import annotations

from typing import NamedTuple

from ganglion.recipe.attributes import Attribute, vector_names
from ganglion.recipe.size import Size

__all__ = ["BY_DEVICE", "FEW", "Choice", "DataFacts", "choose", "enough_for_classes"]


FEW = 5000  # images; below, D overfits within minutes
ENOUGH_OF_A_CLASS = (
    500  # images, of the smallest class; measured at 6,000 only (docs/recipes.md), where classes help a lot
)
MIRRORED = 0.1  # least p-value at which images may be flipped (docs/recipes.md has those of 36 folders)
ENOUGH_TO_TELL = 200  # images; with fewer, a small difference between left and right, as of flags, is not seen
GPU_WIDTH = 64  # of many images; of few, width 32 was nearer to the images at equal time (docs/recipes.md)
BY_DEVICE = ("generator.width", "discriminator.width")
"""What it chooses by the device."""
MINUTES = ((32, 3.0), (64, 10.0), (128, 30.0))
"""Budget by the short side in pixels, for two CPU cores; above the last, LONGEST_MINUTES."""
LONGEST_MINUTES = 120.0


class DataFacts(NamedTuple):
    images: int
    size: Size
    channels: int
    classes: int
    """Number of classes, where every image has one; otherwise 0."""
    device: str
    """cpu, cuda or mps."""
    smallest_class: int = 0
    """Images of the class that has the fewest."""
    own_networks: bool = False
    """Whether the networks are the caller's."""
    mirror_p_value: float | None = None
    """How likely it is that the images and their mirror images differ by chance only; None: not tested."""
    photographs: bool = False
    """Whether most of the images are photographs."""
    attributes: tuple[Attribute, ...] = ()
    """Columns of a labels file, where there are others than one of classes."""
    labels_file: str = ""
    """The name of that file."""


class Choice(NamedTuple):
    recipe: str
    overrides: dict[str, object]
    """By dotted key; they replace the recipe's values."""
    reasons: dict[str, str]
    """A line for each decision, by the dotted key that it is about; `recipe` for the recipe."""


def choose(facts: DataFacts) -> Choice:
    """The recipe for these images, with reasons."""
    few = facts.images < FEW
    why = "few, so D's input is augmented" if few else "enough without augmentation"
    overrides: dict[str, object] = {}
    if facts.own_networks:
        recipe = "dcgan"
        reasons = {
            "recipe": "recipe dcgan: Adam at 2e-4 with beta1 0.5, the usual setting; fast's 6e-3 suits its own networks alone",
            "augment.kind": f"augment {'diffaugment' if few else 'none'}: {facts.images:,} images are {why}",
        }
        if few:
            overrides["augment.kind"] = "diffaugment"
    else:
        recipe = "small-data" if few else "fast"
        reasons = {"recipe": f"recipe {recipe}: {facts.images:,} images are {why}"}
    overrides["training.minutes"], reasons["training.minutes"] = _budget(facts)
    if facts.own_networks:
        if facts.classes > 1:
            reasons["data.conditional"] = (
                f"not conditional: networks of your own may not take labels; --set data.conditional=true passes the "
                f"{facts.classes} classes to both"
            )
        return Choice(recipe, overrides, reasons)
    if facts.device != "cpu" and not few:
        overrides |= {"generator.width": GPU_WIDTH, "discriminator.width": GPU_WIDTH}
        reasons["generator.width"] = (
            f"width {GPU_WIDTH}: a {facts.device} device has the speed for it, and images are many"
        )
    if few and facts.mirror_p_value is not None:
        flip, why = _may_flip(facts, facts.mirror_p_value)
        overrides["augment.flip"] = flip
        reasons["augment.flip"] = f"flip {'on' if flip else 'off'}: {why}"
    if facts.attributes or facts.classes > 1:
        conditional, reasons["data.conditional"] = _of_attributes(facts) if facts.attributes else _of_classes(facts)
        overrides |= {"data.conditional": True} if conditional else {}
    if facts.attributes and overrides.get("data.conditional") and overrides.get("augment.flip"):
        overrides["augment.flip"] = False
        reasons["augment.flip"] = "flip off: left and right may be among the attributes"
    return Choice(recipe, overrides, reasons)


def enough_for_classes(classes: int, smallest: int) -> bool:
    """Whether a run is to be conditional on its classes, of which the smallest has so many images."""
    return classes > 1 and smallest >= ENOUGH_OF_A_CLASS


def _budget(facts: DataFacts) -> tuple[float, str]:
    """Minutes, and why."""
    minutes = next((minutes for side, minutes in MINUTES if min(facts.size) <= side), LONGEST_MINUTES)
    shape = f"{facts.size[0]}x{facts.size[1]} pixels with {facts.channels} channel{'s' if facts.channels > 1 else ''}"
    return minutes, f"{minutes:g} minutes: {shape} on {facts.device}; --minutes or --kimg changes it"


def _may_flip(facts: DataFacts, p_value: float) -> tuple[bool, str]:
    """Whether mirror images are as good as the images themselves, and why."""
    if p_value < MIRRORED:
        return False, "left and right differ in these images"
    if not facts.photographs and facts.images < ENOUGH_TO_TELL:
        return False, f"fewer than {ENOUGH_TO_TELL} drawings do not show whether left and right differ"
    return True, "mirror images cannot be told from the images, so there are twice as many"


def _of_classes(facts: DataFacts) -> tuple[bool, str]:
    """Whether the run is conditional on its classes, and why."""
    if enough_for_classes(facts.classes, facts.smallest_class):
        return True, f"conditional: {facts.classes} classes help training; ganglion sample --label selects one"
    return False, (
        f"not conditional: the smallest of {facts.classes} classes has {facts.smallest_class:,} images, fewer than "
        f"{ENOUGH_OF_A_CLASS}; --set data.conditional=true conditions on them anyway"
    )


def _of_attributes(facts: DataFacts) -> tuple[bool, str]:
    """Whether the run is conditional on the columns of a labels file, by images for each number as for a class, and why."""
    columns, numbers = facts.attributes, len(vector_names(facts.attributes)) - 1
    of_file = f"{len(columns)} column{'s' if len(columns) > 1 else ''} of {facts.labels_file}"
    if facts.images >= ENOUGH_OF_A_CLASS * numbers:
        return True, f"conditional: {of_file}; ganglion sample --label {columns[0].example}... selects values"
    return False, (
        f"not conditional: {facts.images:,} images are fewer than {ENOUGH_OF_A_CLASS} for each of {numbers} values in "
        f"{of_file}; --set data.conditional=true conditions on them anyway, with --set data.attributes=NAME,... on some"
    )
