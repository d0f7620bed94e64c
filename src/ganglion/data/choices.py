"""What is done to images where the recipe leaves it open: size, channels, trimming, fit and filter, each with one sentence why.

The thresholds were set on 36 folders of icons, sprites, drawings, textures and photos; the packed images of 23 were looked at.
"""

from __future__ import annotations

import math
from collections import Counter
from statistics import median, quantiles

from ganglion.data.decode import MODE_FOR, mode_channels, white_for
from ganglion.data.file_names import printable
from ganglion.data.fit import Fit
from ganglion.data.scan import Scan
from ganglion.errors import DataError
from ganglion.recipe.schema import Box, Channels, Data, FitPolicy, Resample, Trim
from ganglion.recipe.size import Size, chain_to, nearest_sizes, size_text

__all__ = [
    "check_channels",
    "choose",
    "choose_channels",
    "choose_fit",
    "choose_resample",
    "choose_size",
    "choose_trim",
]

LARGEST_SHORT_SIDE = 64
NEARLY_SQUARE = 1.3
MOST = 0.5  # of the images
LITTLE_CUT = 0.05  # of an image, on average, that cropping may cut off
LITTLE_STRETCH = 0.2
WIDE_MARGIN = 0.8  # content of this share of a side or more has narrow margins
UNEQUAL = 0.2  # between the fills of the tenth and the ninetieth of a hundred images

Whys = dict[str, str]


def choose(scan: Scan, data: Data) -> tuple[Fit, Whys]:
    """The settings for these images under what the recipe says; and the reason of each that was chosen. Raises DataError."""
    whys: Whys = {}
    trim, box, resample, size, channels, policy = (
        data.trim,
        data.trim_box,
        data.resample,
        data.size,
        data.channels,
        data.fit,
    )
    if trim == "auto":
        trim, box, whys["trim"] = choose_trim(scan)
    if resample == "auto":
        resample, whys["resample"] = choose_resample(scan)
    if size is None:
        size, whys["size"] = choose_size(scan, trim, box, resample)
    if channels is None:
        channels, whys["channels"] = choose_channels(scan)
    check_channels(scan, channels)
    if policy == "auto":
        policy, whys["fit"] = choose_fit(scan, size, trim, box, resample)
    white = data.white_level
    if white is None and scan.brightest:
        white = white_for(scan.brightest)  # one for all, so that they stay comparable
        of_them = f"{scan.deep:,} of {scan.images:,} images"
        whys["white_level"] = f"gray of 16 or 32 bits in {of_them}, with values up to {scan.brightest:g}"
    return Fit(size, channels, policy, trim, box if trim == "common" else None, resample, data.duplicates, white), whys


def choose_channels(scan: Scan) -> tuple[Channels, str]:
    """The channels, and the reason. Raises DataError where arrays with different numbers of channels are mixed."""
    if (count := _array_channels(scan)) is not None:
        return count, "the channels of every image"
    if 2 * scan.alpha > scan.images:
        return 4, f"{scan.alpha} of {scan.images} images have transparent pixels"
    over_white = f"; {scan.alpha} images with transparent pixels are composited over white" if scan.alpha else ""
    nearly = f", {scan.tinted} of them but for the noise of a camera, a scanner or JPEG" if scan.tinted else ""
    if scan.gray == scan.images:
        return 1, f"every image is gray{nearly}{over_white}"
    return 3, f"{scan.images - scan.gray} of {scan.images} images are in colour{over_white}"


def check_channels(scan: Scan, channels: Channels) -> None:
    """Raises DataError where the images cannot be converted to so many channels."""
    count = _array_channels(scan)
    if count is not None and count != channels:
        raise DataError(
            f"{printable(scan.description)} has images of {count} channels, and data.channels is {channels}: leave it out, or "
            "choose among the channels yourself, such as images[..., [3, 2, 1]]"
        )
    if count is None and channels not in MODE_FOR:
        raise DataError(
            f"{printable(scan.description)} has images that are gray, RGB or RGB with alpha, and data.channels is {channels}: "
            "set it to 1, 3 or 4, or leave it out"
        )


def _array_channels(scan: Scan) -> int | None:
    """Number of channels of every image, for arrays with channels that Pillow does not support; None for other images."""
    counts = {mode_channels(mode) for mode in scan.modes}
    if len(counts) > 1:
        raise DataError(
            f"{printable(scan.description)} mixes images of different channels ("
            + ", ".join(f"{count:,} of {mode}" for mode, count in scan.modes.items())
            + "): all must have the same number"
        )
    return next(iter(counts), None)


def choose_resample(scan: Scan) -> tuple[Resample, str]:
    """nearest for pixel art, and the reason."""
    found = sum(look.pixel_art for look in scan.looks)
    if found > MOST * len(scan.looks):
        return "nearest", f"{found} of {len(scan.looks)} images are pixel art, of few colours and hard edges"
    return "lanczos", "most images are no pixel art"


def choose_trim(scan: Scan) -> tuple[Trim, Box | None, str]:
    """Whether margins are cut off, the part that is kept of every image, and the reason.

    Images of one size were framed on purpose, such as the sprites of a game: where something stands in its frame means
    something, so that all lose the same margin or none.
    """
    looks = scan.looks
    bordered = [look for look in looks if look.border != "busy"]
    if len(bordered) <= MOST * len(looks):
        return "off", None, "most images have no empty margin"
    fills = sorted(look.fill for look in looks)
    if Counter((look.height, look.width) for look in looks).most_common(1)[0][1] > MOST * len(looks):
        return _common_trim(scan)
    if median(fills) < WIDE_MARGIN or _spread(fills) > UNEQUAL:
        return "each", None, (
            f"empty margins differ: what is shown takes {fills[len(fills) // 10]:.0%} to {fills[-1 - len(fills) // 10]:.0%} of "
            "a side, in frames of many sizes"
        )  # fmt: skip
    return "off", None, "empty margins are narrow and alike"


def _common_trim(scan: Scan) -> tuple[Trim, Box | None, str]:
    framed = "most images have one size, so that the place in the frame is kept"
    if scan.smallest_size != scan.largest_size or len(scan.looks) < scan.images:
        return "off", None, framed
    lefts, tops, rights, bottoms = zip(*(look.box for look in scan.looks), strict=True)
    side = max(max(rights) - min(lefts), max(bottoms) - min(tops))
    if side > WIDE_MARGIN:
        return "off", None, framed
    across, down = (
        min(max(0.0, (min(low) + max(high) - side) / 2), 1 - side) for low, high in ((lefts, rights), (tops, bottoms))
    )
    box = tuple(round(value, 4) for value in (across, down, across + side, down + side))
    return "common", box, f"no image shows anything outside of {side:.0%} of the frame's height and width"


def _spread(values: list[float]) -> float:
    """From the tenth to the ninetieth of a hundred."""
    cuts = quantiles(values, n=10) if len(values) > 1 else [0.0, 0.0]
    return cuts[-1] - cuts[0]


def choose_size(
    scan: Scan, trim: Trim = "off", box: Box | None = None, resample: Resample = "lanczos"
) -> tuple[Size, str]:
    """The size, and the reason: the aspect ratio of the median, short side at most 64, reachable by doublings.

    Pixel art that is no larger keeps its pixels: the least size that holds most of it.
    """
    height, width, about = *scan.median_size, f"the median image is {size_text(scan.median_size)}"
    if trim != "off":
        height, width = (max(1, round(median(sides))) for sides in zip(*_shapes(scan, trim, box), strict=True))
        about += f", {size_text((height, width))} without its margins"
    if max(height, width) < NEARLY_SQUARE * min(height, width):
        height = width = min(height, width) if resample == "lanczos" else max(height, width)
    if resample == "nearest" and max(height, width) <= LARGEST_SHORT_SIDE and (held := _holding((height, width))):
        return held, f"{about}, and pixel art keeps its pixels; --size chooses another"
    scale = min(1.0, LARGEST_SHORT_SIDE / min(height, width))
    target = math.floor(height * scale), math.floor(width * scale)
    chosen = min(nearest_sizes(target), key=lambda size: abs(math.log(size[1] * height / (size[0] * width))))
    return chosen, f"{about}; --size chooses another"


def _holding(size: Size) -> Size | None:
    """The least reachable size that is nowhere smaller."""
    steps = [2**doublings for doublings in range(2, 6)]
    found = [(-(-size[0] // step) * step, -(-size[1] // step) * step) for step in steps]
    return min((one for one in found if chain_to(one)), key=math.prod, default=None)


def _shapes(scan: Scan, trim: Trim, box: Box | None) -> list[tuple[float, float]]:
    """Heights and widths of what is left of the images."""
    if trim == "each":
        return [look.shape for look in scan.looks]
    left, top, right, bottom = box if trim == "common" and box else (0, 0, 1, 1)
    return [((bottom - top) * look.height, (right - left) * look.width) for look in scan.looks]


def choose_fit(
    scan: Scan, size: Size, trim: Trim = "off", box: Box | None = None, resample: Resample = "lanczos"
) -> tuple[FitPolicy, str]:
    """How images of other aspect ratios are made to fit, and the reason."""
    looks = scan.looks
    wanted = size[1] / size[0]
    aspects = [width / height for height, width in _shapes(scan, trim, box)]
    cut = sum(1 - min(aspect / wanted, wanted / aspect) for aspect in aspects) / len(aspects)
    bordered = sum(look.border != "busy" for look in looks)
    whole = bordered > MOST * len(looks) and resample == "nearest"  # by whole factors, with a border around
    if cut <= LITTLE_CUT and not whole:
        how = f"cuts off {cut:.1%} of an image on average" if cut >= 0.0005 else "cuts off nothing"
        return "crop", f"cropping to {size_text(size)} {how}"
    if bordered > MOST * len(looks):
        otherwise = (
            "pixel art so keeps its pixels" if whole else f"cropping would cut off {cut:.0%} of an image on average"
        )
        return "pad", (
            f"{bordered} of {len(looks)} images have a transparent or plain border, which padding continues; {otherwise}"
        )  # fmt: skip
    drawn = sum(look.kind == "drawing" for look in looks)
    if drawn > MOST * len(looks) and cut <= LITTLE_STRETCH:
        return (
            "stretch",
            f"{drawn} of {len(looks)} images are drawings up to their edges, stretched by {cut:.0%} on average",
        )
    return "crop", (
        f"{len(looks) - bordered} of {len(looks)} images fill their frame; cropping the centre cuts off {cut:.0%} on average, "
        "padding would add bars"
    )  # fmt: skip
