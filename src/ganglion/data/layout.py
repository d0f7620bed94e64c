"""How arrays of images are read: which axis holds the channels, and which values are black and white.

N images, C channels, H height, W width. Nothing is guessed where two readings are possible: then it is refused, and the
message says how to make it clear.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.errors import DataError
from ganglion.recipe.schema import MOST_CHANNELS

__all__ = ["black_and_white", "channel_axis", "channels_last", "is_levels", "to_levels", "unclear"]

USUAL = (1, 3, 4)
RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
NEARLY = 1e-3  # what rounding may put outside a range


def channels_last(images: NDArray[Any], name: str, channels: int | None = None) -> NDArray[Any]:
    """An array (N, H, W), (N, H, W, C) or (N, C, H, W) as (N, H, W) or (N, H, W, C), a view. Raises DataError.

    `channels` is how many the recipe asks for; where the shape can be read in two ways it tells which is meant.
    """
    if images.ndim == 3 and images.shape[2] not in USUAL:
        return images
    if images.ndim == 3:
        raise DataError(
            f"{name} has the shape {images.shape}, which is one image, or images of {images.shape[2]} pixels' width; images "
            "are (N, H, W), (N, H, W, C) or (N, C, H, W): a single image is images[None]"
        )
    if images.ndim != 4:
        raise DataError(
            f"{name} has {images.ndim} axes; images have 3, (N, H, W), or 4, (N, H, W, C) or (N, C, H, W): reshape the array"
        )
    axis = channel_axis(images.shape[1:], channels)
    if axis is None:
        raise DataError(f"{name} has the shape {images.shape}: {unclear(images.shape[1:])}")
    return images if axis == 2 else images.transpose(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)


def channel_axis(shape: tuple[int, ...], channels: int | None = None) -> int | None:
    """Of an image of this shape, 0 where channels come first, 2 where they come last, None where that cannot be told.

    Channels are 1, 3 or 4, or at most 64 and fewer than there are pixels on a side. Where `channels` is the length of one of
    the two axes it is that one, and the last where both have it.
    """
    if stated := [axis for axis in (2, 0) if shape[axis] == channels]:
        return stated[0]
    able = [axis for axis in (2, 0) if _may_be_channels(shape[axis], min(shape[1], shape[2 - axis]))]
    return able[0] if len(able) == 1 else None


def unclear(shape: tuple[int, ...]) -> str:
    """What to do about an image's shape that does not tell which axis holds the channels."""
    return (
        f"whether the channels are the {shape[2]} of the last axis or come first cannot be told, since they are 1, 3 or 4, or "
        f"at most {MOST_CHANNELS} and fewer than the pixels of a side; put them last (.transpose(0, 2, 3, 1) where they come "
        "first), and say with data.channels how many there are"
    )


def black_and_white(low: float, high: float, name: str) -> tuple[float, float]:
    """Which values are black and white in floats from `low` to `high`: 0 and 1, -1 and 1, or 0 and 255. Raises DataError."""
    for black, white in RANGES:
        if black - NEARLY <= low and high <= white * (1 + NEARLY):
            return black, white
    raise DataError(
        f"{name} has values from {low:g} to {high:g}; floats are images in [0, 1], [-1, 1] or [0, 255]: scale them"
    )


def is_levels(kind: np.dtype[Any], name: str) -> bool:
    """Whether values of this type are uint8, and not floats. Raises DataError where they are neither."""
    if kind == np.uint8:
        return True
    if np.issubdtype(kind, np.floating):
        return False
    raise DataError(
        f"{name} holds {kind}; images are uint8, or floats in [0, 1], [-1, 1] or [0, 255]: "
        "images.astype('uint8') where all values are 0 to 255, else floats divided by the brightest value"
    )


def to_levels(image: NDArray[Any], black: float, white: float) -> NDArray[np.uint8]:
    """One image as uint8. Raises ValueError where its values are not finite or leave the range."""
    if image.dtype == np.uint8:
        return np.asarray(image, np.uint8)
    shares = (image.astype(np.float64) - black) / (white - black)
    if not np.isfinite(shares).all() or shares.min() < -NEARLY or shares.max() > 1 + NEARLY:
        raise ValueError(f"values outside [{black:g}, {white:g}], the range of the other images")
    levels: NDArray[np.uint8] = np.round(255 * shares.clip(0, 1)).astype(np.uint8)
    return levels


def _may_be_channels(count: int, least_side: int) -> bool:
    return count in USUAL or (count <= MOST_CHANNELS and count < least_side)
