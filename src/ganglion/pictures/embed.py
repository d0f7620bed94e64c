"""Images as data URIs, to be embedded in pages and notebooks."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganglion.pictures.sheets import to_pillow

__all__ = ["FINE", "Level", "data_uri"]


class Level(NamedTuple):
    """Quality and size of embedded images."""

    quality: int
    """Of WebP, 0 to 100."""
    widest: int
    """Pixels; wider images are scaled down."""


FINE = Level(88, 680)


def data_uri(pixels: NDArray[np.uint8], level: Level = FINE) -> str:
    """uint8 (H, W, C) as a data URI, transparent where it has an alpha channel."""
    picture = to_pillow(pixels)
    if picture.width > level.widest:
        size = level.widest, round(picture.height * level.widest / picture.width)
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    data = io.BytesIO()
    picture.save(data, "WEBP", quality=level.quality)
    return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()
