"""DiffAugment (Zhao et al. 2020, arXiv 2006.10738, section 4): colour, translation, cutout, each on every image.

Each takes images (N, C, H, W) in [-1, 1] and a generator of random numbers on their device, and is differentiable.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganglion.platform.random_numbers import drawn
from ganglion.recipe.parts import DiffAugmentStep

__all__ = ["STEPS", "color", "cutout", "translation"]


SHIFT = 1 / 8  # of a side, maximum
HOLE = 1 / 2  # of a side


def color(images: Tensor, random: torch.Generator) -> Tensor:
    """Brightness by up to 0.5, saturation by a factor in [0, 2), contrast by a factor in [0.5, 1.5).

    The fourth of 4 channels is alpha and stays. Saturation is of 3 colours: of any other number of channels only brightness
    and contrast change, of all of them alike.
    """
    in_colour = images.shape[1] in (3, 4)
    pixels, alpha = (images[:, :3], images[:, 3:]) if in_colour else (images, images[:, :0])
    by, saturation, contrast = (_rand(images, random) for _ in range(3))  # (N, 1, 1, 1)
    pixels = pixels + (by - 0.5)
    if in_colour:
        gray = pixels.mean(1, keepdim=True)
        pixels = gray + (pixels - gray) * (2 * saturation)
    mean = pixels.mean((1, 2, 3), keepdim=True)
    pixels = mean + (pixels - mean) * (contrast + 0.5)
    return torch.cat([pixels, alpha], 1) if alpha.shape[1] else pixels


def translation(images: Tensor, random: torch.Generator) -> Tensor:
    """Translates each image by up to an eighth of its sides, padded with black.

    The authors' code has mid-gray there, which around pictures on black would be a frame that no real image has.
    """
    n, _, h, w = images.shape
    rows, columns = (_moved(n, side, random, images.device) for side in (h, w))  # (N, H), (N, W): source indices
    inside = ((rows >= 0) & (rows < h))[:, :, None] & ((columns >= 0) & (columns < w))[:, None, :]  # (N, H, W)
    which = torch.arange(n, device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[which, rows.clamp(0, h - 1)[:, :, None], columns.clamp(0, w - 1)[:, None, :]]
    return torch.where(inside[:, None], moved.permute(0, 3, 1, 2), -1.0)  # (N, C, H, W)


def cutout(images: Tensor, random: torch.Generator) -> Tensor:
    """Sets a rectangle of half the height and half the width to mid-gray (0), with a uniformly random centre."""
    n, _, h, w = images.shape
    in_rows, in_columns = (_covered(n, side, random, images.device) for side in (h, w))  # (N, H), (N, W)
    return images.masked_fill((in_rows[:, :, None] & in_columns[:, None, :])[:, None], 0.0)


STEPS: dict[DiffAugmentStep, Callable[[Tensor, torch.Generator], Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}


def _rand(images: Tensor, random: torch.Generator) -> Tensor:
    def draw(n: int) -> Tensor:
        return torch.rand((n, 1, 1, 1), generator=random, device=images.device)

    return drawn(draw, len(images), random)


def _moved(n: int, side: int, random: torch.Generator, device: torch.device) -> Tensor:
    furthest = int(side * SHIFT + 0.5)
    return torch.arange(side, device=device) + _integers(-furthest, furthest, n, random, device)


def _covered(n: int, side: int, random: torch.Generator, device: torch.device) -> Tensor:
    length = int(side * HOLE + 0.5)
    start = _integers(-(length // 2), side - length // 2, n, random, device)
    place = torch.arange(side, device=device)
    return (place >= start) & (place < start + length)


def _integers(low: int, high: int, n: int, random: torch.Generator, device: torch.device) -> Tensor:
    """(N, 1) of `low` .. `high`."""

    def draw(n: int) -> Tensor:
        return torch.randint(low, high + 1, (n, 1), generator=random, device=device)

    return drawn(draw, n, random)
