"""Augmentation of D's input: flip, augmentation, instance noise. N images, C channels, H, W."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganglion.augment import ada, diffaugment
from ganglion.platform.random_numbers import drawn, noise_like
from ganglion.recipe.parts import Ada, Augment, AugmentName, DiffAugment, InstanceNoise, NoAugment
from ganglion.streams import Purpose, stream

__all__ = ["AUGMENTS", "flip", "noise_at", "present", "variants"]


def flip(images: Tensor, random: torch.Generator) -> Tensor:
    """Mirrors each image (N, C, H, W) left to right with probability 1/2."""

    def draw(n: int) -> Tensor:
        return torch.rand((n, 1, 1, 1), generator=random, device=images.device)

    return torch.where(drawn(draw, len(images), random) < 0.5, images.flip(3), images)


def noise_at(settings: InstanceNoise, images: int) -> float:
    """The standard deviation of instance noise after `images` real images. Sønderby et al. 2017, arXiv 1610.04490."""
    if settings.decay_kimg is None:
        return settings.std
    return settings.std * max(0.0, 1 - images / (1000 * settings.decay_kimg))


def present(
    images: Tensor, settings: Augment, strength: Tensor, noise: float | Tensor, random: torch.Generator
) -> Tensor:
    """D's input for images (N, C, H, W): flip, augmentation and noise by the recipe. `noise` may be a scalar on the device."""
    shown = flip(images, random) if settings.flip else images
    shown = AUGMENTS[settings.kind](shown, settings, strength, random)
    if not isinstance(noise, Tensor) and not noise:
        return shown
    return shown + noise * noise_like(shown, random)


def _none(images: Tensor, settings: Augment, strength: Tensor, random: torch.Generator) -> Tensor:
    assert isinstance(settings, NoAugment)
    return images


def _diffaugment(images: Tensor, settings: Augment, strength: Tensor, random: torch.Generator) -> Tensor:
    assert isinstance(settings, DiffAugment)
    for step in settings.policy:
        images = diffaugment.STEPS[step](images, random)
    return images


def _ada(images: Tensor, settings: Augment, strength: Tensor, random: torch.Generator) -> Tensor:
    assert isinstance(settings, Ada)
    return ada.augment(images, strength, random)


AUGMENTS: dict[AugmentName, Callable[[Tensor, Augment, Tensor, torch.Generator], Tensor]] = {
    "none": _none,
    "diffaugment": _diffaugment,
    "ada": _ada,
}


def variants(images: Tensor, augment: Augment, count: int, strength: float, seed: int = 0) -> Tensor:
    """Each of the images (N, C, H, W) in [-1, 1], followed by `count` augmented copies: (N * (1 + count), C, H, W).

    `strength` is the probability of each change under ADA, in [0, 1].
    """
    random = torch.Generator(images.device).manual_seed(int(stream(seed, Purpose.STEP).integers(2**63)))
    power = torch.tensor(strength, device=images.device)
    copies = [present(images, augment, power, 0.0, random) for _ in range(count)]
    return torch.stack([images, *copies], 1).flatten(0, 1)  # (N, 1 + count, C, H, W), then rows by image
