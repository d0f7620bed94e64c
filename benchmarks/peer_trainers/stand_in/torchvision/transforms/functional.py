"""What the transforms do, as functions of one image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

__all__ = ["resize", "to_pil_image", "to_tensor"]


def resize(image: Image.Image, size: int | Sequence[int]) -> Image.Image:
    """Bilinear. An int is the shorter side's new length, a pair (height, width)."""
    if isinstance(size, int):
        short = min(image.size)
        wanted = tuple(size if side == short else int(size * side / short) for side in image.size)
    else:
        wanted = (size[1], size[0])
    return image if image.size == wanted else image.resize(wanted, Image.Resampling.BILINEAR)


def to_tensor(image: Image.Image) -> Tensor:
    """Float (C, H, W) in [0, 1]."""
    pixels = torch.from_numpy(np.array(image, np.uint8))  # (H, W) or (H, W, C)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return pixels.permute(2, 0, 1).contiguous().float().div(255)


def to_pil_image(tensor: Tensor) -> Image.Image:
    pixels = tensor.mul(255).byte().permute(1, 2, 0).numpy()
    return Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
