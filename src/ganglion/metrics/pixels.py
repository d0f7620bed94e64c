"""The plainest features: the pixels themselves, at 8x8 at most. They see colour, layout and brightness, and no object."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganglion.metrics.extractor import Extractor, Seen

__all__ = ["pixel_extractor"]

SIDE = 8


def pixel_extractor(device: torch.device) -> Extractor:
    """Means over at most 8x8 areas, as (N, C*64)."""

    def look(images: Tensor) -> Seen:
        height, width = (min(SIDE, side) for side in images.shape[2:])
        return Seen(adaptive_avg_pool2d(images, (height, width)).flatten(1), None)

    return Extractor(
        "pixels", f"pixels {SIDE}", "mean colours of at most 8x8 areas: colour and layout only", look, device
    )
