"""Straight and premultiplied alpha: the conversion between them, once each way, for the whole project.

Inside (stores, batches, networks, metrics, vitals) the colours of RGBA images are multiplied by alpha (Porter and Duff 1984),
so that a transparent pixel has one value, whatever colour a file hides under it. At every edge (files, sheets, arrays for
users) they are straight, as PNG has them. Of images with another number of channels both are the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["RGBA", "premultiplied", "straight"]

RGBA = 4  # channels
ALPHA = 3  # the last of them


def premultiplied(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Straight uint8 (..., C) with colours times alpha / 255, rounded to nearest; unchanged unless C is 4."""
    if images.shape[-1] != RGBA:
        return images
    result = np.array(images, np.uint8)
    colours = result[..., :ALPHA]
    colours[...] = (colours * _alpha(result) + 127) // 255
    return result


def straight(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Premultiplied uint8 (..., C) with colours times 255 / alpha, rounded to nearest; unchanged unless C is 4.

    The inverse of `premultiplied`, within the rounding, which is 128 / alpha of 255 levels; a transparent pixel is black.
    Colours above alpha, which only a network draws, are cut to it.
    """
    if images.shape[-1] != RGBA:
        return images
    result = np.array(images, np.uint8)
    colours, alpha = result[..., :ALPHA], _alpha(result)
    share = np.maximum(alpha, 1)
    colours[...] = (np.minimum(colours, alpha) * 255 + share // 2) // share
    return result


def _alpha(images: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """(..., 1); 255 times 255 and half of it more fit into uint16."""
    return images[..., ALPHA:].astype(np.uint16)
