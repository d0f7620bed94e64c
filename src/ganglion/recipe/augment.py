"""How the images that D sees are changed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ganglion.recipe.part import Part, choice

__all__ = ["Ada", "Augment", "AugmentName", "DiffAugment", "DiffAugmentStep", "NoAugment"]

AugmentName = Literal["none", "diffaugment", "ada"]

DiffAugmentStep = Literal["color", "translation", "cutout"]


class NoAugment(Part):
    kind: Literal["none"] = "none"
    """D sees the images as they are."""
    flip: bool = False
    """Mirrors each image that D sees, real or fake, with probability 1/2."""


class DiffAugment(Part):
    kind: Literal["diffaugment"] = "diffaugment"
    """Every image that D sees is changed in each of these ways, Zhao et al. 2020."""
    flip: bool = False
    """Mirrors each image that D sees, real or fake, with probability 1/2."""
    policy: tuple[DiffAugmentStep, ...] = ("color", "translation", "cutout")
    """color: brightness, saturation, contrast; translation by up to an eighth; cutout of a square of half the side."""


class Ada(Part):
    kind: Literal["ada"] = "ada"
    """Each change is made with a probability that rises while D over-fits, Karras et al. 2020."""
    flip: bool = False
    """Mirrors each image that D sees, real or fake, with probability 1/2."""
    target: float = Field(0.6, gt=-1, lt=1)
    """The probability rises while the mean sign of D's logits on reals is above this, and falls while it is below."""
    speed_kimg: float = Field(500, gt=0)
    """Thousands of images in which the probability can go from 0 to 1."""


Augment = Annotated[NoAugment | DiffAugment | Ada, *choice("kind", "none")]
