"""Several images as one: sheets, labelled rows, labelled columns; and PNG files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ganglion.platform.files import move, storage_errors

__all__ = [
    "ShownChannels",
    "columns_for",
    "display_channels",
    "labelled_rows",
    "over_white",
    "save_image",
    "sheet",
    "side_by_side",
    "to_pillow",
]  # fmt: skip

GAP, LINE = 2, 14  # pixels

ShownChannels = tuple[int, int, int] | None
"""Channels to show as red, green and blue; None: the default ones."""


def columns_for(count: int) -> int:
    """Number of columns of an approximately square sheet."""
    return max(1, math.ceil(math.sqrt(count)))


def display_channels(images: NDArray[np.uint8], channels: ShownChannels = None) -> NDArray[np.uint8]:
    """uint8 (..., C) reduced to 1, 3 or 4 channels for display.

    `channels` selects three. By default 1, 3 and 4 channels are unchanged; of 2 the first is used, as gray, of more the first
    three.
    """
    if channels is not None:
        return images[..., list(channels)]
    count = images.shape[-1]
    return images if count in (1, 3, 4) else images[..., : 1 if count == 2 else 3]


def to_pillow(pixels: NDArray[np.uint8], channels: ShownChannels = None) -> Image.Image:
    """uint8 (H, W, C) as a Pillow image in mode L, RGB or RGBA."""
    shown = display_channels(pixels, channels)
    return Image.fromarray(np.ascontiguousarray(shown[..., 0] if shown.shape[2] == 1 else shown))


def over_white(image: Image.Image) -> Image.Image:
    """Any Pillow image as RGB; what is transparent is white."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def sheet(
    images: NDArray[np.uint8],
    columns: int | None = None,
    gap: int = 2,
    shade: int = 255,
    channels: ShownChannels = None,
) -> NDArray[np.uint8]:
    """uint8 (N, H, W, C) as one image (rows*(H+gap)+gap, columns*(W+gap)+gap, C'), by row; C': see `display_channels`."""
    images = display_channels(images, channels)
    n, h, w, c = images.shape
    columns = columns or columns_for(n)
    rows = math.ceil(n / columns)
    page = np.full((rows * (h + gap) + gap, columns * (w + gap) + gap, c), shade, np.uint8)
    for i, image in enumerate(images):
        top, left = gap + i // columns * (h + gap), gap + i % columns * (w + gap)
        page[top : top + h, left : left + w] = image
    return page


def labelled_rows(
    rows: Sequence[tuple[str, NDArray[np.uint8]]],
    times: int = 1,
    first_column: int = 120,
    channels: ShownChannels = None,
) -> NDArray[np.uint8]:
    """Rows of equally many images (T, H, W, C) with a label before each, as one image (H, W, 3)."""
    count, h, w = len(rows[0][1]), rows[0][1].shape[1] * times, rows[0][1].shape[2] * times
    page = Image.new("RGB", (first_column + count * (w + GAP), len(rows) * (h + GAP) + GAP), "white")
    draw = ImageDraw.Draw(page)
    for y, (words, images) in enumerate(rows):
        top = GAP + y * (h + GAP)
        draw.text((4, top + h // 2 - LINE // 2), words, fill="black")
        for x, image in enumerate(images):
            shown = over_white(to_pillow(image, channels)).resize((w, h), Image.Resampling.NEAREST)
            page.paste(shown, (first_column + x * (w + GAP), top))
    return np.asarray(page)


def side_by_side(
    pixels: NDArray[np.uint8], words: Sequence[str], least_side: int = 128, channels: ShownChannels = None
) -> NDArray[np.uint8]:
    """uint8 (N, H, W, C) in a row, a label above each, as one image (H, W, 3)."""
    times = max(1, round(least_side / min(pixels.shape[1:3])))
    h, w = pixels.shape[1] * times, pixels.shape[2] * times
    page = Image.new("RGB", (len(pixels) * (w + GAP) + GAP, h + LINE + 2 * GAP), "white")
    draw = ImageDraw.Draw(page)
    for x, (image, word) in enumerate(zip(pixels, words, strict=True)):
        left = GAP + x * (w + GAP)
        draw.text((left, 1), word, fill="black")
        shown = over_white(to_pillow(image, channels)).resize((w, h), Image.Resampling.NEAREST)
        page.paste(shown, (left, LINE + GAP))
    return np.asarray(page)


def save_image(pixels: NDArray[np.uint8], path: Path, channels: ShownChannels = None) -> None:
    """Writes uint8 (H, W, C) as PNG, reduced by `display_channels`. Raises StorageError where the disk is full."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.part")
        try:
            to_pillow(pixels, channels).save(partial, format="PNG")
            move(partial, path)
        finally:
            partial.unlink(missing_ok=True)
