"""Chooses size and channels from what a scan found, and says why."""

from __future__ import annotations

import math

from ganglion.data.scan import Scan
from ganglion.recipe.schema import Channels
from ganglion.recipe.size import Size, nearest_sizes, size_text

__all__ = ["choose_channels", "choose_size"]

LARGEST_SHORT_SIDE = 64
NEARLY_SQUARE = 1.3


def choose_channels(scan: Scan) -> tuple[Channels, str]:
    """The channels, and the reason in a few words."""
    if 2 * scan.alpha > scan.images:
        return 4, f"{scan.alpha} of {scan.images} images have transparent pixels"
    laid_over_white = f"; transparent pixels of {scan.alpha} images are laid over white" if scan.alpha else ""
    if scan.gray == scan.images:
        return 1, f"every image is gray{laid_over_white}"
    return 3, f"{scan.images - scan.gray} of {scan.images} images are in colour{laid_over_white}"


def choose_size(scan: Scan) -> tuple[Size, str]:
    """The size, and the reason in a few words: the median's shape, short side at most 64, reachable by doublings."""
    height, width = scan.median_size
    if max(height, width) < NEARLY_SQUARE * min(height, width):
        height = width = min(height, width)
    scale = min(1.0, LARGEST_SHORT_SIDE / min(height, width))
    wanted = math.floor(height * scale), math.floor(width * scale)
    size = nearest_sizes(wanted)[0]
    return size, f"the median image is {size_text(scan.median_size)}; --size chooses another"
