"""Adaptive discriminator augmentation (Karras et al. 2020, arXiv 2006.06676): each transformation has probability p, which
follows the overfitting of D. The geometric ones are combined in one affine map and one resampling, the colour ones in one
matrix.

N images, C channels, H height, W width. p is a tensor, so that nothing synchronises with the device.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch._decomp import get_decompositions
from torch.nn.functional import affine_grid, grid_sample

from ganglion.platform.random_numbers import drawn

__all__ = ["augment", "next_strength"]


BILINEAR, REFLECTION = 0, 2  # as aten numbers them

SCALE_LOG2 = 0.2  # standard deviation of the scalings' base-2 logarithms, appendix B
SHIFT = 0.125  # of a side: maximum of the integer translation, standard deviation of the fractional one
BRIGHTNESS, CONTRAST_LOG2, SATURATION_LOG2 = 0.2, 0.5, 1.0


def augment(images: Tensor, strength: Tensor, random: torch.Generator) -> Tensor:
    """Images (N, C, H, W), each with each transformation with probability `strength`; unchanged up to rounding at 0."""
    with torch.autocast(images.device.type, enabled=False):  # coordinates and colours need more precision than bf16
        draw = Draw(len(images), strength, random, images.device)
        geometry, colors = _geometry(draw, *images.shape[2:]), _colors(draw)
        wide = images.to(torch.promote_types(images.dtype, torch.float32))
        grid = affine_grid(geometry[:, :2].to(wide.dtype), list(images.shape), align_corners=False)
        moved = _resampled(wide, grid)
        return _recolor(moved, colors.to(wide.dtype))


def _resampled(images: Tensor, grid: Tensor) -> Tensor:
    """Bilinear, with reflection at the borders.

    The gradient of the CUDA kernel differs in its last bits from time to time. Where that is not wanted, the same is computed
    by indexing, as PyTorch does by itself for `interpolate`.
    """
    if torch.are_deterministic_algorithms_enabled():
        operation = torch.ops.aten.grid_sampler_2d.default
        by_index = get_decompositions([operation])[operation]
        found: Tensor = by_index(images, grid, BILINEAR, REFLECTION, False)
        return found
    return grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def next_strength(strength: Tensor, mean_sign: Tensor, target: float, images: int, speed_kimg: float) -> Tensor:
    """p after `images` more images: up where the mean sign of D's logits on reals is above `target`, else down.

    Section 3.1: r_t = E[sign(D(x))] is 0 without overfitting and 1 where D's logits are positive on all training images.
    """
    return (strength + torch.sign(mean_sign - target) * (images / (1000 * speed_kimg))).clamp(0, 1)


class Draw:
    """Random parameters for N images, and the choice of images that are transformed."""

    def __init__(self, n: int, strength: Tensor, random: torch.Generator, device: torch.device) -> None:
        self.n, self.strength, self.random, self.device = n, strength, random, device

    def uniform(self) -> Tensor:
        """(N,) in [0, 1)."""
        return drawn(lambda n: torch.rand(n, generator=self.random, device=self.device), self.n, self.random)

    def normal(self) -> Tensor:
        """(N,) from N(0, 1)."""
        return drawn(lambda n: torch.randn(n, generator=self.random, device=self.device), self.n, self.random)

    def sometimes(self, value: Tensor, otherwise: float) -> Tensor:
        """`value` with probability p, else `otherwise`."""
        return torch.where(self.uniform() < self.strength, value, otherwise)


def _geometry(draw: Draw, height: int, width: int) -> Tensor:
    """Affine maps from output to input coordinates, (N, 3, 3) on [-1, 1]."""
    whole, aspect = _eye(draw, 3), height / width
    flip = draw.sometimes(1 - 2 * (draw.uniform() < 0.5).float(), 1.0)
    whole = whole @ _scaled(draw, flip, torch.ones_like(flip))
    quarter = draw.sometimes((draw.uniform() * 4).floor(), 0.0) * (math.pi / 2)
    whole = whole @ _turned(draw, quarter, aspect)
    shifts = [((draw.uniform() * 2 - 1) * SHIFT * side).round() / side for side in (width, height)]
    whole = whole @ _moved(draw, *(draw.sometimes(shift, 0.0) for shift in shifts))
    scale = torch.exp2(draw.sometimes(draw.normal() * SCALE_LOG2, 0.0))
    whole = whole @ _scaled(draw, scale, scale)
    stretch = torch.exp2(draw.sometimes(draw.normal() * SCALE_LOG2, 0.0))
    whole = whole @ _turned(draw, draw.sometimes((draw.uniform() * 2 - 1) * math.pi, 0.0), aspect)
    whole = whole @ _scaled(draw, stretch, 1 / stretch)
    return whole @ _moved(draw, *(draw.sometimes(draw.normal() * SHIFT, 0.0) for _ in range(2)))


def _colors(draw: Draw) -> Tensor:
    """Affine colour maps (N, 3, 4), a matrix and an offset, with separate factors along and across the gray axis."""
    brightness = draw.sometimes(draw.normal() * BRIGHTNESS, 0.0)
    contrast = torch.exp2(draw.sometimes(draw.normal() * CONTRAST_LOG2, 0.0))
    saturation = torch.exp2(draw.sometimes(draw.normal() * SATURATION_LOG2, 0.0))
    hue = draw.sometimes((draw.uniform() * 2 - 1) * math.pi, 0.0)
    luma = draw.sometimes(1 - 2 * (draw.uniform() < 0.5).float(), 1.0)  # -1: inverts light and dark
    gray = torch.full((3, 3), 1 / 3, device=draw.device)
    across = (_about_gray(hue) - gray) * (saturation * contrast)[:, None, None]
    matrix = gray * (luma * contrast)[:, None, None] + across  # (N, 3, 3)
    offset = (brightness * luma * contrast)[:, None, None].expand(-1, 3, 1)
    return torch.cat([matrix, offset], 2)


def _recolor(images: Tensor, colors: Tensor) -> Tensor:
    """Applies colour maps. The fourth of 4 channels is alpha and is unchanged. Images with other numbers of channels, gray ones
    included, use the map along the gray axis, without hue and saturation."""
    matrix, offset = colors[..., :3], colors[..., 3]
    if images.shape[1] not in (3, 4):
        return images * matrix[:, :1].sum(2)[..., None, None] + offset[:, :1, None, None]
    pixels = torch.einsum("nij,njhw->nihw", matrix, images[:, :3]) + offset[..., None, None]
    return torch.cat([pixels, images[:, 3:]], 1) if images.shape[1] == 4 else pixels


def _about_gray(angle: Tensor) -> Tensor:
    """Rotations of colour space about its gray diagonal (N, 3, 3), by Rodrigues' formula."""
    turn = torch.eye(3, device=angle.device).roll(1, 0)  # made on the device: a CUDA graph cannot copy from the host
    cross = (turn - turn.T) * (1 / math.sqrt(3))  # [[0, -1, 1], [1, 0, -1], [-1, 1, 0]] / sqrt(3)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return torch.eye(3, device=angle.device) * cos + cross * sin + (1 - cos) / 3


def _eye(draw: Draw, size: int) -> Tensor:
    return torch.eye(size, device=draw.device).repeat(draw.n, 1, 1)


def _scaled(draw: Draw, x: Tensor, y: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([1 / x, 1 / y, torch.ones_like(x)], 1))


def _turned(draw: Draw, angle: Tensor, aspect: float) -> Tensor:
    """Rotations in pixels, written for coordinates in [-1, 1] of an image of height / width `aspect`."""
    whole = _eye(draw, 3)
    whole[:, 0, 0] = whole[:, 1, 1] = angle.cos()
    whole[:, 0, 1], whole[:, 1, 0] = -angle.sin() * aspect, angle.sin() / aspect
    return whole


def _moved(draw: Draw, x: Tensor, y: Tensor) -> Tensor:
    """Translations by fractions of a side, which has length 2."""
    whole = _eye(draw, 3)
    whole[:, 0, 2], whole[:, 1, 2] = -2 * x, -2 * y
    return whole
