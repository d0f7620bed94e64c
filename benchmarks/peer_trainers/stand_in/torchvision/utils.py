"""Sheets of images, as the trainers write them while they train."""

from __future__ import annotations

import math
from os import PathLike

import torch
from PIL import Image
from torch import Tensor

__all__ = ["make_grid", "save_image"]


def make_grid(
    tensor: Tensor, nrow: int = 8, padding: int = 2, normalize: bool = False, pad_value: float = 0.0, **rest: object
) -> Tensor:
    """Images (N, C, H, W) as one (3, H, W); `nrow` is the number of images in a row."""
    images = tensor if tensor.ndim == 4 else tensor[None]
    images = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
    if normalize:
        low, high = float(images.min()), float(images.max())
        images = (images - low) / max(high - low, 1e-5)
    columns = min(nrow, len(images))
    rows = math.ceil(len(images) / columns)
    height, width = images.shape[2] + padding, images.shape[3] + padding
    grid = torch.full((3, rows * height + padding, columns * width + padding), pad_value)
    for i, image in enumerate(images):
        top, left = (i // columns) * height + padding, (i % columns) * width + padding
        grid[:, top : top + image.shape[1], left : left + image.shape[2]] = image
    return grid


def save_image(
    tensor: Tensor, fp: str | PathLike[str], nrow: int = 8, padding: int = 2, normalize: bool = False, **rest: object
) -> None:
    """Writes the sheet of `make_grid`; values are in [0, 1] unless they are normalised."""
    grid = make_grid(tensor.detach(), nrow, padding, normalize).mul(255).add(0.5).clamp(0, 255)
    Image.fromarray(grid.permute(1, 2, 0).to(torch.uint8).numpy()).save(fp)
