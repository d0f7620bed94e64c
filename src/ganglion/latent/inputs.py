"""Image files as inputs: an image for the generator, a mask of missing pixels. C channels, H height, W width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganglion.data.decode import ImageFacts, Picture, Unreadable, decode, quiet_pillow
from ganglion.data.fit import Fit, draw, fit, fit_of, least_decoded, placement
from ganglion.data.pixels import to_float
from ganglion.errors import DataError
from ganglion.latent.complete import Mask
from ganglion.recipe.schema import Recipe

__all__ = ["mask_from_file", "picture_from_file"]


def picture_from_file(path: Path, recipe: Recipe) -> Tensor:
    """(C, H, W) in [-1, 1], preprocessed like the training images, alpha premultiplied. Raises DataError."""
    settings = _settings(recipe)
    try:
        return _float(fit(_read(path, least_decoded(settings), settings.white_level)[0], settings))
    except Unreadable as error:
        raise DataError(
            f"{path} cannot be made an image of the run, which has {settings.channels} channels: {error}"
        ) from None


def mask_from_file(
    path: Path, height: int, width: int, picture: Path | None = None, recipe: Recipe | None = None
) -> Mask:
    """(H, W), true where the file is white (above middle gray); what is transparent is black.

    A mask of the size of `picture` is put where the `recipe` puts that picture, so that it stays where it was drawn; nothing
    is missing beside it. Another one has the shape of (H, W), whatever its size. Raises DataError.
    """
    image, facts = _read(path, 2 * max(height, width))
    image = _over_black(image)
    shown, drawn_on = (None, None) if picture is None else _read(picture, 2 * max(height, width))
    if (
        recipe and drawn_on and isinstance(shown, Image.Image)
        and (facts.height, facts.width) == (drawn_on.height, drawn_on.width)
    ):  # fmt: skip
        gray = Image.fromarray(fit(image, Fit((shown.height, shown.width), 1, "stretch"))[..., 0])
        pixels = draw(gray, placement(shown, _settings(recipe)), (height, width), ground=0)
    elif facts.height * width == facts.width * height:
        pixels = fit(image, Fit((height, width), 1, "stretch"))
    else:
        its = "" if drawn_on is None else f"the size of its picture, {drawn_on.height}x{drawn_on.width}, or "
        raise DataError(
            f"{path} is {facts.height}x{facts.width} (height x width); a mask has {its}the shape of the run's images, "
            f"{height}x{width}"
        )
    return np.asarray(pixels[..., 0] > 127)


def _over_black(image: Picture) -> Picture:
    if not isinstance(image, Image.Image) or "A" not in image.getbands():
        return image
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "black"), layer).convert("RGB")


def _settings(recipe: Recipe) -> Fit:
    if recipe.data.size is None or recipe.data.channels is None:
        raise DataError("the run's recipe does not say the size of its images")
    return fit_of(recipe.data)


def _read(path: Path, at_least: int, white: float | None = None) -> tuple[Picture, ImageFacts]:
    try:
        with quiet_pillow():
            return decode(path.read_bytes(), at_least, white)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except Unreadable as error:
        raise DataError(f"{path} is no picture that can be read: {error}") from None


def _float(pixels: NDArray[np.uint8]) -> Tensor:
    return to_float(torch.from_numpy(pixels.copy())[None])[0].contiguous()
