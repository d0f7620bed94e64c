"""Arrays of images: which axis holds the channels, and which values are black and white.

N images, H height, W width, C channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.errors import DataError
from ganglion.recipe.schema import MOST_CHANNELS

__all__ = ["ambiguous_axes", "as_uint8", "channel_axis", "channels_last", "infer_range", "is_uint8"]


USUAL = (1, 3, 4)
RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
NEARLY = 1e-3  # tolerance of ranges for rounding


def channels_last(images: NDArray[Any], name: str, channels: int | None = None) -> NDArray[Any]:
    """An array (N, H, W), (N, H, W, C) or (N, C, H, W) as (N, H, W) or (N, H, W, C), a view. Raises DataError.

    `channels` is the recipe's number of channels; it resolves ambiguous shapes.
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
        raise DataError(f"{name} has the shape {images.shape}: {ambiguous_axes(images.shape[1:])}")
    return images if axis == 2 else images.transpose(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)


def channel_axis(shape: tuple[int, ...], channels: int | None = None) -> int | None:
    """Axis of the channels in an image of this shape: 0 or 2; None where that is ambiguous.

    Channels number 1, 3 or 4, or at most 64 and less than height and width. Where `channels` is the length of one of
    the two axes, it is that axis, or the last one if both have it.
    """
    if stated := [axis for axis in (2, 0) if shape[axis] == channels]:
        return stated[0]
    able = [axis for axis in (2, 0) if _may_be_channels(shape[axis], min(shape[1], shape[2 - axis]))]
    return able[0] if len(able) == 1 else None


def ambiguous_axes(shape: tuple[int, ...]) -> str:
    """The message for a shape in which the axis of the channels is ambiguous."""
    return (
        f"it is ambiguous whether the last axis, of {shape[2]}, or the first holds the channels, which are 1, 3 or 4, or "
        f"at most {MOST_CHANNELS} and fewer than the pixels of a side; put them last (.transpose(0, 2, 3, 1) where they come "
        "first), and set data.channels to their number"
    )


def infer_range(low: float, high: float, name: str) -> tuple[float, float]:
    """Values of black and white for floats from `low` to `high`: 0 and 1, -1 and 1, or 0 and 255. Raises DataError."""
    for black, white in RANGES:
        if black - NEARLY <= low and high <= white * (1 + NEARLY):
            return black, white
    raise DataError(
        f"{name} has values from {low:g} to {high:g}; floats are images in [0, 1], [-1, 1] or [0, 255]: scale them"
    )


def is_uint8(kind: np.dtype[Any], name: str) -> bool:
    """True for uint8, False for floats. Raises DataError for other types."""
    if kind == np.uint8:
        return True
    if np.issubdtype(kind, np.floating):
        return False
    raise DataError(
        f"{name} holds {kind}; images are uint8, or floats in [0, 1], [-1, 1] or [0, 255]: "
        "images.astype('uint8') where all values are 0 to 255, else floats divided by the brightest value"
    )


def as_uint8(image: NDArray[Any], black: float, white: float) -> NDArray[np.uint8]:
    """One image as uint8. Raises ValueError for values that are not finite or outside the range."""
    if image.dtype == np.uint8:
        return np.asarray(image, np.uint8)
    shares = (image.astype(np.float64) - black) / (white - black)
    if not np.isfinite(shares).all() or shares.min() < -NEARLY or shares.max() > 1 + NEARLY:
        raise ValueError(f"values outside [{black:g}, {white:g}], the range of the other images")
    levels: NDArray[np.uint8] = np.round(255 * shares.clip(0, 1)).astype(np.uint8)
    return levels


def _may_be_channels(count: int, least_side: int) -> bool:
    return count in USUAL or (count <= MOST_CHANNELS and count < least_side)
