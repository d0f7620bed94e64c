"""Straight and premultiplied alpha: the conversion between them, once each way, for the whole project.

Inside (stores, batches, networks, metrics, vitals) the colours of RGBA images are multiplied by alpha (Porter and Duff 1984),
so that a transparent pixel has one value, whatever colour a file hides under it. At every edge (files, sheets, arrays for
users) they are straight, as PNG has them. Of images with another number of channels both are the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["RGBA", "premultiplied", "straight"]

RGBA = 4  # channels
ALPHA = 3  # the last of them
PIXELS_AT_ONCE = 2**20


def premultiplied(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Straight uint8 (..., C) with colours times alpha / 255, rounded to nearest; unchanged unless C is 4."""
    if images.shape[-1] != RGBA:
        return images
    result = np.array(images, np.uint8, order="C")
    for pixels in _in_parts(result):
        colours = pixels[:, :ALPHA]
        colours[...] = (colours * _alpha(pixels) + 127) // 255
    return result


def straight(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Premultiplied uint8 (..., C) with colours times 255 / alpha, rounded to nearest; unchanged unless C is 4.

    The inverse of `premultiplied`, within the rounding, which is 128 / alpha of 255 levels; a transparent pixel is black.
    Colours above alpha, which only a network draws, are cut to it.
    """
    if images.shape[-1] != RGBA:
        return images
    result = np.array(images, np.uint8, order="C")
    for pixels in _in_parts(result):
        colours, alpha = pixels[:, :ALPHA], _alpha(pixels)
        share = np.maximum(alpha, 1)
        colours[...] = (np.minimum(colours, alpha) * 255 + share // 2) // share
    return result


def _in_parts(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Views (n, 4) of contiguous images (..., 4), so that only a part of them is ever in memory in a wider type."""
    pixels = images.reshape(-1, RGBA)
    return (pixels[first : first + PIXELS_AT_ONCE] for first in range(0, len(pixels), PIXELS_AT_ONCE))


def _alpha(images: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """(..., 1); 255 times 255 and half of it more fit into uint16."""
    return images[..., ALPHA:].astype(np.uint16)
