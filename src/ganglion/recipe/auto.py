"""Which recipe suits these images on this hardware, and why. The thresholds rest on docs/recipes.md's measurements."""

from __future__ import annotations

from typing import NamedTuple

from ganglion.recipe.size import Size, size_text

__all__ = ["Choice", "Facts", "choose"]

FEW = 5000  # images; below it, D learns them by heart within minutes
GPU_WIDTH = 64
MINUTES = ((32, 3.0), (64, 10.0), (128, 30.0))
"""Budget by the short side in pixels, for two CPU cores; beyond the last, LONGEST_MINUTES."""
LONGEST_MINUTES = 120.0


class Facts(NamedTuple):
    images: int
    size: Size
    channels: int
    classes: int
    """Classes that were found; 0 where images have none."""
    device: str
    """cpu, cuda or mps."""


class Choice(NamedTuple):
    recipe: str
    overrides: dict[str, object]
    """By dotted key, over the recipe's own values."""
    reasons: list[str]
    """A line for each decision."""


def choose(facts: Facts) -> Choice:
    """The recipe for these images, with the reasons for a person."""
    few = facts.images < FEW
    recipe = "small-data" if few else "fast"
    why = "few, so D sees them augmented" if few else "enough to do without augmentation"
    reasons = [f"recipe {recipe}: {facts.images:,} images are {why}"]
    minutes = next((minutes for side, minutes in MINUTES if min(facts.size) <= side), LONGEST_MINUTES)
    overrides: dict[str, object] = {"training.minutes": minutes}
    shape = f"{size_text(facts.size)} with {facts.channels} channel{'s' if facts.channels > 1 else ''}"
    reasons.append(f"{minutes:g} minutes: {shape} on {facts.device}; --minutes or --kimg changes it")
    if facts.device != "cpu":
        overrides |= {"generator.width": GPU_WIDTH, "discriminator.width": GPU_WIDTH}
        reasons.append(f"width {GPU_WIDTH}: a {facts.device} device has the room for it")
    if facts.classes > 1:
        reasons.append(f"{facts.classes} classes: not used; --set data.conditional=true lets you ask for each by name")
    return Choice(recipe, overrides, reasons)
