"""Lays images out as one picture."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganglion.platform.files import move, storage_errors

__all__ = ["ShownChannels", "columns_for", "displayed", "flat_picture", "save_image", "sheet"]


ShownChannels = tuple[int, int, int] | None
"""Channels that stand for red, green and blue; None: the usual ones."""


def columns_for(count: int) -> int:
    """Columns of a sheet that is about square."""
    return max(1, math.ceil(math.sqrt(count)))


def displayed(images: NDArray[np.uint8], channels: ShownChannels = None) -> NDArray[np.uint8]:
    """uint8 (..., C) as something that a screen shows, with 1, 3 or 4 channels: every picture goes through here.

    `channels` are those chosen. Otherwise 1, 3 and 4 stay as they are; of 2 the first is shown, as gray, of more the first
    three.
    """
    if channels is not None:
        return images[..., list(channels)]
    count = images.shape[-1]
    return images if count in (1, 3, 4) else images[..., : 1 if count == 2 else 3]


def flat_picture(pixels: NDArray[np.uint8], channels: ShownChannels = None) -> Image.Image:
    """uint8 (H, W, C) as a Pillow image in mode L, RGB or RGBA."""
    shown = displayed(pixels, channels)
    return Image.fromarray(np.ascontiguousarray(shown[..., 0] if shown.shape[2] == 1 else shown))


def sheet(
    images: NDArray[np.uint8],
    columns: int | None = None,
    gap: int = 2,
    shade: int = 255,
    channels: ShownChannels = None,
) -> NDArray[np.uint8]:
    """uint8 (N, H, W, C) as one picture (rows*(H+gap)+gap, columns*(W+gap)+gap, C'), row by row; C' as `displayed` has it."""
    images = displayed(images, channels)
    n, h, w, c = images.shape
    columns = columns or columns_for(n)
    rows = math.ceil(n / columns)
    page = np.full((rows * (h + gap) + gap, columns * (w + gap) + gap, c), shade, np.uint8)
    for i, image in enumerate(images):
        top, left = gap + i // columns * (h + gap), gap + i % columns * (w + gap)
        page[top : top + h, left : left + w] = image
    return page


def save_image(pixels: NDArray[np.uint8], path: Path, channels: ShownChannels = None) -> None:
    """Writes uint8 (H, W, C) as PNG, as `displayed` shows it. Raises StorageError where the disk is full."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.part")
        try:
            flat_picture(pixels, channels).save(beside, format="PNG")
            move(beside, path)
        finally:
            beside.unlink(missing_ok=True)
