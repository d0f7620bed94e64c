"""Lays images out as one picture."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganglion.data.atomic import move, storage_errors

__all__ = ["columns_for", "save_image", "sheet"]


def columns_for(count: int) -> int:
    """Columns of a sheet that is about square."""
    return max(1, math.ceil(math.sqrt(count)))


def sheet(images: NDArray[np.uint8], columns: int | None = None, gap: int = 2, shade: int = 255) -> NDArray[np.uint8]:
    """uint8 (N, H, W, C) as one picture (rows*(H+gap)+gap, columns*(W+gap)+gap, C), row by row."""
    n, h, w, c = images.shape
    columns = columns or columns_for(n)
    rows = math.ceil(n / columns)
    page = np.full((rows * (h + gap) + gap, columns * (w + gap) + gap, c), shade, np.uint8)
    for i, image in enumerate(images):
        top, left = gap + i // columns * (h + gap), gap + i % columns * (w + gap)
        page[top : top + h, left : left + w] = image
    return page


def save_image(pixels: NDArray[np.uint8], path: Path) -> None:
    """Writes uint8 (H, W, C) as PNG. Raises StorageError where the disk is full."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.part")
        try:
            Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(beside, format="PNG")
            move(beside, path)
        finally:
            beside.unlink(missing_ok=True)
