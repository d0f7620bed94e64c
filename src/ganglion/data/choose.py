"""Chooses size and channels from what a scan found, and says why."""

from __future__ import annotations

import math

from ganglion.data.decode import MODE_FOR, mode_channels
from ganglion.data.scan import Scan, printable
from ganglion.errors import DataError
from ganglion.recipe.schema import Channels
from ganglion.recipe.size import Size, nearest_sizes, size_text

__all__ = ["check_channels", "choose_channels", "choose_size"]

LARGEST_SHORT_SIDE = 64
NEARLY_SQUARE = 1.3


def choose_channels(scan: Scan) -> tuple[Channels, str]:
    """The channels, and the reason in a few words. Raises DataError where arrays of several numbers of them are mixed."""
    if (count := _array_channels(scan)) is not None:
        return count, "every image has as many"
    if 2 * scan.alpha > scan.images:
        return 4, f"{scan.alpha} of {scan.images} images have transparent pixels"
    laid_over_white = f"; transparent pixels of {scan.alpha} images are laid over white" if scan.alpha else ""
    if scan.gray == scan.images:
        return 1, f"every image is gray{laid_over_white}"
    return 3, f"{scan.images - scan.gray} of {scan.images} images are in colour{laid_over_white}"


def check_channels(scan: Scan, channels: Channels) -> None:
    """Raises DataError where the images cannot be made to have so many channels."""
    there = _array_channels(scan)
    if there is not None and there != channels:
        raise DataError(
            f"{printable(scan.description)} has images of {there} channels, and data.channels is {channels}: leave it out, or "
            "choose among the channels yourself, such as images[..., [3, 2, 1]]"
        )
    if there is None and channels not in MODE_FOR:
        raise DataError(
            f"{printable(scan.description)} has images that are gray, RGB or RGB with alpha, and data.channels is {channels}: "
            "set it to 1, 3 or 4, or leave it out"
        )


def _array_channels(scan: Scan) -> int | None:
    """How many channels every image has, where Pillow knows no such images; None for those that it does."""
    counts = {mode_channels(mode) for mode in scan.modes}
    if len(counts) > 1:
        raise DataError(
            f"{printable(scan.description)} mixes images of different channels ("
            + ", ".join(f"{count:,} of {mode}" for mode, count in scan.modes.items())
            + "): all have to have as many"
        )
    return next(iter(counts), None)


def choose_size(scan: Scan) -> tuple[Size, str]:
    """The size, and the reason in a few words: the median's shape, short side at most 64, reachable by doublings."""
    height, width = scan.median_size
    if max(height, width) < NEARLY_SQUARE * min(height, width):
        height = width = min(height, width)
    scale = min(1.0, LARGEST_SHORT_SIDE / min(height, width))
    wanted = math.floor(height * scale), math.floor(width * scale)
    size = nearest_sizes(wanted)[0]
    return size, f"the median image is {size_text(scan.median_size)}; --size chooses another"
