"""Image files as inputs: an image for the generator, a mask of missing pixels. C channels, H height, W width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.data.decode import ImageFacts, Picture, Unreadable, decode, fit, quiet_pillow
from ganglion.data.pixels import to_float
from ganglion.errors import DataError
from ganglion.latent.complete import Mask
from ganglion.recipe.schema import FitPolicy, Recipe

__all__ = ["mask_from_file", "picture_from_file"]


def picture_from_file(path: Path, recipe: Recipe) -> Tensor:
    """(C, H, W) in [-1, 1], preprocessed like the training images, alpha premultiplied. Raises DataError."""
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
