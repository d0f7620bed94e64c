"""DiffAugment (Zhao et al. 2020, arXiv 2006.10738, section 4): colour, translation, cutout, each on every image.

Each takes images (N, C, H, W) in [-1, 1] and a generator of random numbers on their device, and is differentiable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import pad

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
    by, saturation, contrast = (_rand(images, random) for _ in range(3))  # (N, 1, 1, 1)
    by, saturation, contrast = by - 0.5, 2 * saturation, contrast + 0.5
    channels = images.shape[1]
    if channels not in (3, 4):
        return contrast * images + ((1 - contrast) * images.mean((1, 2, 3), keepdim=True) + by)
    # one after the other the three are a factor for each pixel and a term of its gray: neither moves the mean of the others
    gray = images[:, :3].mean(1, keepdim=True)  # (N, 1, H, W)
    term = (contrast * (1 - saturation)) * gray + ((1 - contrast) * gray.mean((2, 3), keepdim=True) + by)
    coloured = (torch.arange(channels, device=images.device) < 3).to(images.dtype).view(1, channels, 1, 1)
    return torch.addcmul(images * ((contrast * saturation - 1) * coloured + 1), term, coloured)


def translation(images: Tensor, random: torch.Generator) -> Tensor:
    """Translates each image by up to an eighth of its sides, padded with black.

    The authors' code has mid-gray there, which around pictures on black would be a frame that no real image has.
    """
    n, _, *sides = images.shape
    furthest = tuple(int(side * SHIFT + 0.5) for side in sides)
    down, right = (_integers(-most, most, n, random, images.device) for most in furthest)  # (N, 1)
    moved: Tensor = _Moved.apply(images, down, right, furthest, -1.0)  # type: ignore[no-untyped-call]
    return moved


class _Moved(Function):
    """Each image by its own numbers of rows and columns. The gradient is moved back, which indexing would do pixel by pixel."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, down: Tensor, right: Tensor, furthest: tuple[int, int], around: float
    ) -> Tensor:
        ctx.save_for_backward(down, right)
        ctx.furthest = furthest
        (n, c, h, w), (rows, columns) = images.shape, furthest
        framed = pad(images.permute(0, 2, 3, 1), (0, 0, columns, columns, rows, rows), value=around).contiguous()
        line = (w + 2 * columns) * c
        starts = (n, h + 2 * rows, 2 * columns + 1, w * c)  # every place at which w pixels of a row can begin
        lines = framed.as_strided(starts, ((h + 2 * rows) * line, line, c, 1))
        which, place = torch.arange(n, device=images.device)[:, None], torch.arange(h, device=images.device)
        return lines[which, place + down + rows, right + columns].view(n, h, w, c).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        down, right = ctx.saved_tensors
        return _Moved.apply(slope, -down, -right, ctx.furthest, 0.0), None, None, None, None  # type: ignore[no-untyped-call]


def cutout(images: Tensor, random: torch.Generator) -> Tensor:
    """Sets a rectangle of half the height and half the width to mid-gray (0), with a uniformly random centre."""
    n, _, h, w = images.shape
    in_rows, in_columns = (_covered(n, side, random, images.device) for side in (h, w))  # (N, H), (N, W)
    outside = ~(in_rows[:, :, None] & in_columns[:, None, :])[:, None]  # (N, 1, H, W)
    return images * outside  # which keeps the memory layout, as a fill does not


STEPS: dict[DiffAugmentStep, Callable[[Tensor, torch.Generator], Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}


def _rand(images: Tensor, random: torch.Generator) -> Tensor:
    def draw(n: int) -> Tensor:
        return torch.rand((n, 1, 1, 1), generator=random, device=images.device)

    return drawn(draw, len(images), random)


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
