"""Images made to fit: trimmed, cropped, padded or stretched, and resized to one size, with alpha premultiplied.

H height, W width, C channels. Boxes of pixels are Pillow's: left, top, right, bottom.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganglion.data.alpha import RGBA
from ganglion.data.decode import MODE_FOR, Picture, Unreadable
from ganglion.data.look import PixelBox, content_box, plain_colour, ring
from ganglion.recipe.schema import Box, Channels, Data, Duplicates, FitPolicy, Resample, Trim
from ganglion.recipe.size import Size

__all__ = ["Fit", "Placement", "draw", "fit", "fit_of", "least_decoded", "placement", "recipe_values"]

MARGIN = 0.04  # of the longer side, kept around trimmed content
LEAST_FILLED = 0.75  # of what fits: a whole factor that leaves more of the page empty is not taken
FINER = 4  # times the size: at least so many pixels are decoded of an image that is trimmed


@dataclass(frozen=True)
class Fit:
    """Every setting that changes the pixels of a store; none of them is `auto`."""

    size: Size
    channels: Channels
    policy: FitPolicy
    trim: Trim = "off"
    box: Box | None = None
    """With trim `common`: what is kept of every image."""
    resample: Resample = "lanczos"
    duplicates: Duplicates = "keep"
    white_level: float | None = None
    """Value of gray images of 16 or 32 bits that is shown as white; None where there are none."""


def fit_of(data: Data) -> Fit:
    """The settings of a recipe in which all of them are filled in."""
    assert data.size is not None
    assert data.channels is not None
    return Fit(
        data.size, data.channels, data.fit, data.trim, data.trim_box, data.resample, data.duplicates, data.white_level
    )


def recipe_values(settings: Fit) -> dict[str, Any]:
    """Values for `update`, by key of the recipe."""
    return {
        "data__size": settings.size, "data__channels": settings.channels, "data__fit": settings.policy,
        "data__trim": settings.trim, "data__trim_box": settings.box, "data__resample": settings.resample,
        "data__duplicates": settings.duplicates, "data__white_level": settings.white_level,
    }  # fmt: skip


class Placement(NamedTuple):
    """Which part of an image goes where on the page."""

    region: PixelBox
    """What trimming leaves of the image, in its pixels."""
    source: tuple[float, float, float, float]
    """The part of the region that is shown, in pixels from its corner."""
    target: PixelBox
    """In pixels of the page."""
    filter: Image.Resampling


def fit(image: Picture, settings: Fit) -> NDArray[np.uint8]:
    """The picture as uint8 (H, W, C) of exactly the size, the alpha of 4 channels premultiplied.

    It is resized premultiplied, so that colours of transparent pixels reach no other. Alpha that has no channel to go to is
    composited over white. Padding is transparent, or of the border's colour. Of an array each channel is made to fit by
    itself. Raises Unreadable where it has another number of channels, or where a number is asked for that no picture has.
    """
    channels = settings.channels
    if isinstance(image, np.ndarray):
        if image.shape[2] != channels:
            raise Unreadable(f"{image.shape[2]} channels, not {channels}")
        alone = replace(settings, channels=1, trim="off" if settings.trim == "each" else settings.trim)
        planes = [Image.fromarray(np.ascontiguousarray(image[..., c])) for c in range(channels)]
        return np.concatenate([fit(plane, alone) for plane in planes], 2)
    if channels not in MODE_FOR:
        raise Unreadable(f"{channels} channels were requested; image files have 1, 3 or 4")
    place = placement(image, settings)
    pixels = draw(_to_mode(image, channels), place, settings.size)
    return np.minimum(pixels, pixels[..., -1:]) if channels == RGBA else pixels  # Lanczos overshoots alpha


def least_decoded(settings: Fit) -> int:
    """How many pixels each side of a JPEG must at least keep when it is decoded smaller."""
    return (2 if settings.trim == "off" else 2 * FINER) * max(settings.size)


def placement(image: Image.Image, settings: Fit) -> Placement:
    """The part of an image, straight and upright, that is shown, and where."""
    height, width = settings.size
    region = _TRIM[settings.trim](image, settings.box)
    sides = region[2] - region[0], region[3] - region[1]
    source, target = POLICIES[settings.policy](sides, (width, height), settings.resample == "nearest")
    return Placement(region, source, target, FILTERS[settings.resample if _keeps_pixels(source, target) else "lanczos"])


def _keeps_pixels(source: tuple[float, float, float, float], target: PixelBox) -> bool:
    """Whether nearest neighbours draw every pixel, and about equally large: by whole factors, or enlarged twice and more."""
    scales = [(target[i + 2] - target[i]) / (source[i + 2] - source[i]) for i in (0, 1)]
    return min(scales) >= 2 or all(scale >= 1 and scale.is_integer() for scale in scales)


def draw(picture: Image.Image, place: Placement, size: Size, ground: int | None = None) -> NDArray[np.uint8]:
    """The picture on a page (H, W, C); around it `ground`, or what continues its border."""
    left, top, right, bottom = place.target
    if place.region != (0, 0, *picture.size):
        picture = picture.crop(place.region)  # a filter would see beyond it
    pixels = np.asarray(picture.resize((right - left, bottom - top), place.filter, box=place.source), np.uint8)
    pixels = pixels.reshape(bottom - top, right - left, -1)
    if place.target == (0, 0, size[1], size[0]):
        return pixels
    page = np.empty((*size, pixels.shape[2]), np.uint8)
    page[:] = _continued(picture, place.source) if ground is None else ground
    page[top:bottom, left:right] = pixels
    return page


def _continued(picture: Image.Image, source: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    """The colour (C,) of the border: of RGBA transparent unless it is opaque and plain, otherwise the median."""
    left, top, right, bottom = (round(side) for side in source)
    pixels = np.asarray(picture, np.uint8)[top:bottom, left:right]
    border = ring(pixels.reshape(*pixels.shape[:2], -1))
    if border.shape[1] != RGBA:
        middle: NDArray[np.uint8] = np.median(border, 0).round().astype(np.uint8)
        return middle
    colour = plain_colour(border)
    return np.zeros(RGBA, np.uint8) if colour is None or colour[-1] < 128 else colour


def _to_mode(image: Image.Image, channels: Channels) -> Image.Image:
    """L, RGB, or RGBA with premultiplied alpha, as `alpha.premultiplied` has it."""
    if channels < RGBA and image.mode in {"LA", "RGBA"}:
        colour = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour)
    return image.convert("RGBA").convert("RGBa") if channels == RGBA else image.convert(MODE_FOR[channels])


# Trimming: the region of an image that is used


def _whole(image: Image.Image, box: Box | None) -> PixelBox:
    return 0, 0, *image.size


def _content(image: Image.Image, box: Box | None) -> PixelBox:
    left, top, right, bottom = content_box(image)
    margin = math.ceil(MARGIN * max(right - left, bottom - top))
    return (
        max(0, left - margin),
        max(0, top - margin),
        min(image.width, right + margin),
        min(image.height, bottom + margin),
    )


def _common(image: Image.Image, box: Box | None) -> PixelBox:
    assert box is not None
    (left, right), (top, bottom) = (
        (round(first * side), max(round(last * side), round(first * side) + 1))
        for first, last, side in ((box[0], box[2], image.width), (box[1], box[3], image.height))
    )
    return left, top, right, bottom


_TRIM: dict[str, Callable[[Image.Image, Box | None], PixelBox]] = {"off": _whole, "each": _content, "common": _common}


# Fitting: which part of a region (W, H) goes where on a page (W, H)

Sides = tuple[int, int]
Placed = tuple[tuple[float, float, float, float], PixelBox]


def _cover(sides: Sides, page: Sides, by_whole_factors: bool) -> Placed:
    width, height = sides
    used_width, used_height = min(width, height * page[0] / page[1]), min(height, width * page[1] / page[0])
    x, y = (width - used_width) / 2, (height - used_height) / 2
    return (x, y, x + used_width, y + used_height), (0, 0, *page)


def _contain(sides: Sides, page: Sides, by_whole_factors: bool) -> Placed:
    width, height = sides
    scale = min(page[0] / width, page[1] / height)
    if by_whole_factors and math.floor(scale) >= LEAST_FILLED * scale:
        scale = math.floor(scale)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    x, y = (page[0] - inner[0]) // 2, (page[1] - inner[1]) // 2
    return (0, 0, width, height), (x, y, x + inner[0], y + inner[1])


def _stretch(sides: Sides, page: Sides, by_whole_factors: bool) -> Placed:
    return (0, 0, *sides), (0, 0, *page)


POLICIES: dict[str, Callable[[Sides, Sides, bool], Placed]] = {
    "crop": _cover, "pad": _contain, "stretch": _stretch,
}  # fmt: skip

FILTERS = {"lanczos": Image.Resampling.LANCZOS, "nearest": Image.Resampling.NEAREST}
