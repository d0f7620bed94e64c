"""Sample images as NumPy arrays that a notebook shows as a sheet.

N images, H height, W width, C channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.notebook.fragment import fragment
from ganglion.pictures.embed import FINE, data_uri
from ganglion.pictures.sheets import ShownChannels, sheet

__all__ = ["ImageArray"]

MOST_SHOWN = 144
WIDEST_SHOWN, LEAST_SHOWN = 640, 96  # pixels of the notebook's page
SMALLEST = 4  # pixels of an image that is one
MOST_CHANNELS = 64


class ImageArray(np.ndarray[Any, np.dtype[np.uint8]]):
    """A NumPy array, with one addition: in a notebook, images uint8 (N, H, W, C) show themselves, and so does one (H, W, C).

    Slices are such arrays too; results of arithmetic are plain arrays, as are copies that are unpickled.
    """

    channels: ShownChannels = None
    """Those that are shown as red, green and blue; None: the default ones."""

    def __new__(cls, images: NDArray[np.uint8], channels: ShownChannels = None) -> ImageArray:
        """A view of the images; nothing is copied."""
        found = np.asarray(images).view(cls)
        found.channels = channels
        return found

    def __array_finalize__(self, origin: Any) -> None:
        self.channels = getattr(origin, "channels", None)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if array.ndim == 0 else np.asarray(array)

    def __reduce__(self) -> Any:
        return np.asarray(self).__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return np.asarray(self).__reduce_ex__(protocol)

    def _repr_html_(self) -> str | None:
        """The sheet with a line about it; None for arrays that are no images, which are then shown as numbers."""
        images = np.asarray(self)
        if images.dtype != np.uint8 or not images.size:
            return None
        if images.ndim == 3 and images.shape[2] in (1, 3, 4):
            images = images[None]
        if images.ndim != 4 or min(images.shape[1:3]) < SMALLEST or images.shape[3] > MOST_CHANNELS:
            return None
        channels = self.channels if self.channels and max(self.channels) < images.shape[3] else None
        page = sheet(images[:MOST_SHOWN], gap=2 if len(images) > 1 else 0, channels=channels)
        times = max(1, min(WIDEST_SHOWN // page.shape[1], -(-LEAST_SHOWN // images.shape[2])))
        width = min(page.shape[1] * times, WIDEST_SHOWN)
        return fragment("images.html", uri=data_uri(page, FINE), width=width, about=_about(images))


def _about(images: NDArray[np.uint8]) -> str:
    n, h, w, c = images.shape
    count = f"{n:,} images" if n > 1 else "1 image"
    first = f"; the first {MOST_SHOWN} are shown" if n > MOST_SHOWN else ""
    return f"{count} of {h}x{w}, {c} channel{'' if c == 1 else 's'}{first}"
