"""A person's picture file as a generator's image, and images as sheets with words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from ganglion.data.decode import ImageFacts, Picture, Unreadable, decode, fit, quiet_pillow
from ganglion.data.pixels import to_float, to_uint8
from ganglion.errors import DataError
from ganglion.latent.complete import Mask
from ganglion.pictures.sheets import ShownChannels, flat_picture
from ganglion.recipe.schema import FitPolicy, Recipe

__all__ = ["labelled_rows", "mask_from_file", "picture_from_file", "side_by_side"]


GAP, LINE = 2, 14


def picture_from_file(path: Path, recipe: Recipe) -> Tensor:
    """(C, H, W) in [-1, 1], made to fit as the training images were. Raises DataError."""
    size, channels = recipe.data.size, recipe.data.channels
    if size is None or channels is None:
        raise DataError("the run's recipe does not say the size of its images")
    try:
        return _float(fit(_read(path, 2 * max(size))[0], size, channels, recipe.data.fit))
    except Unreadable as error:
        raise DataError(f"{path} cannot be made an image of the run, which has {channels} channels: {error}") from None


def mask_from_file(
    path: Path, height: int, width: int, picture: Path | None = None, policy: FitPolicy = "crop"
) -> Mask:
    """(H, W), true where the file is white (above middle gray).

    A mask of the size of `picture` is made to fit by the same `policy`, so that it stays where it was drawn; another one has
    the shape of (H, W), whatever its size. Raises DataError.
    """
    image, facts = _read(path, 2 * max(height, width))
    drawn_on = None if picture is None else _read(picture, 2 * max(height, width))[1]
    if drawn_on is not None and (facts.height, facts.width) == (drawn_on.height, drawn_on.width):
        pixels = fit(image, (height, width), 1, policy)
    elif facts.height * width == facts.width * height:
        pixels = fit(image, (height, width), 1, "stretch")
    else:
        its = "" if drawn_on is None else f"the size of its picture, {drawn_on.height}x{drawn_on.width}, or "
        raise DataError(
            f"{path} is {facts.height}x{facts.width} (height x width); a mask has {its}the shape of the run's images, "
            f"{height}x{width}"
        )
    return np.asarray(pixels[..., 0] > 127)


def labelled_rows(
    rows: Sequence[tuple[str, NDArray[np.uint8]]],
    times: int = 1,
    first_column: int = 120,
    channels: ShownChannels = None,
) -> NDArray[np.uint8]:
    """Rows of equally many images (T, H, W, C) with a word before each, as one picture (H, W, 3)."""
    count, h, w = len(rows[0][1]), rows[0][1].shape[1] * times, rows[0][1].shape[2] * times
    page = Image.new("RGB", (first_column + count * (w + GAP), len(rows) * (h + GAP) + GAP), "white")
    draw = ImageDraw.Draw(page)
    for y, (words, images) in enumerate(rows):
        top = GAP + y * (h + GAP)
        draw.text((4, top + h // 2 - LINE // 2), words, fill="black")
        for x, image in enumerate(images):
            shown = flat_picture(image, channels).convert("RGB").resize((w, h), Image.Resampling.NEAREST)
            page.paste(shown, (first_column + x * (w + GAP), top))
    return np.asarray(page)


def side_by_side(
    images: Sequence[Tensor], words: Sequence[str], least_side: int = 128, channels: ShownChannels = None
) -> NDArray[np.uint8]:
    """Images (C, H, W) in [-1, 1] in a row, a word above each, as one picture (H, W, 3)."""
    pixels = to_uint8(torch.stack(list(images))).cpu().numpy()
    times = max(1, round(least_side / min(pixels.shape[1:3])))
    h, w = pixels.shape[1] * times, pixels.shape[2] * times
    page = Image.new("RGB", (len(pixels) * (w + GAP) + GAP, h + LINE + 2 * GAP), "white")
    draw = ImageDraw.Draw(page)
    for x, (image, word) in enumerate(zip(pixels, words, strict=True)):
        left = GAP + x * (w + GAP)
        draw.text((left, 1), word, fill="black")
        page.paste(
            flat_picture(image, channels).convert("RGB").resize((w, h), Image.Resampling.NEAREST), (left, LINE + GAP)
        )
    return np.asarray(page)


def _read(path: Path, at_least: int) -> tuple[Picture, ImageFacts]:
    try:
        with quiet_pillow():
            return decode(path.read_bytes(), at_least=at_least)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except Unreadable as error:
        raise DataError(f"{path} is no picture that can be read: {error}") from None


def _float(pixels: NDArray[np.uint8]) -> Tensor:
    return to_float(torch.from_numpy(pixels.copy())[None])[0].contiguous()
