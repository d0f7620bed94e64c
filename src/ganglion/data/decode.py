"""From bytes to pixels for every source: decodes and rejects broken files."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ganglion.data.look import nearly_gray
from ganglion.data.sources import Payload
from ganglion.recipe.schema import MOST_CHANNELS

__all__ = [
    "MODE_FOR",
    "ImageFacts",
    "Picture",
    "Unreadable",
    "decode",
    "is_deep",
    "mode_channels",
    "pixels_of",
    "quiet_pillow",
    "white_for",
]


Picture = Image.Image | NDArray[np.uint8]
"""Upright, in mode L, LA, RGB or RGBA; or an array (H, W, C) with a number of channels for which Pillow has no mode."""

LARGEST_PIXELS = 2**27
"""About 134 million, twelve thousand by eleven: larger images are refused as possible decompression bombs."""
OVERSHOOT = 1.1  # of floats on [0, 1], as resizing leaves them: clipped
WHITES = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)
"""Largest values of gray on [0, 1] and of 8, 10, 12, 14 and 16 bits."""

MODE_FOR = {1: "L", 3: "RGB", 4: "RGBA"}
EXIF_ORIENTATION = 0x0112


class Unreadable(Exception):  # noqa: N818 (a result for one file, never shown as an error)
    """The image cannot be used; the message is the reason, in a few words."""


class TooLargeForMemory(Unreadable):
    """It may be readable when more memory is free."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Properties of an image before preprocessing."""

    height: int
    width: int
    mode: str
    """Pillow's mode, or `13 channels` where it has none."""
    gray: bool
    """Whether all colour channels are equal, or nearly."""
    tinted: bool
    """Whether it is gray only nearly, such as after JPEG."""
    alpha: bool
    animated: bool
    turned: bool
    brightest: float = 0.0
    """Largest value of a gray image of 16 or 32 bits; 0 of any other."""


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Suppresses Pillow's warnings of damaged metadata and large images; relevant faults are checked here."""
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def decode(payload: Payload, at_least: int | None = None, white: float | None = None) -> tuple[Picture, ImageFacts]:
    """An upright image and its properties. Raises Unreadable.

    `white` is the value of gray images of 16 or 32 bits that is shown as white, with all above it; None: the least of WHITES
    that no value of the image exceeds. With `at_least` a JPEG is decoded at a half, quarter or eighth of its size if both sides
    stay at least that long: this saves most of the time, and still reads every byte.
    """
    if isinstance(payload, np.ndarray):
        return _from_pixels(payload)
    if not payload:
        raise Unreadable("empty file")
    with _pillow_errors(payload), Image.open(io.BytesIO(payload)) as opened:
        return _read(opened, at_least, white)


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    """An opened image, which is not changed, as an array (H, W), (H, W, 3) or (H, W, 4). Raises Unreadable."""
    with _pillow_errors():
        upright, _ = _read(image, None, WHITES[-1] if image.mode.startswith("I") else None)
        return np.asarray(upright.convert("RGBA") if upright.mode == "LA" else upright)


NOT_READ = "{} not read: save it as PNG or JPEG"
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif"}
STARTS = (
    (b"\xff\x0a", NOT_READ.format("a JPEG XL image, which is")),
    (b"\0\0\0\x0cJXL ", NOT_READ.format("a JPEG XL image, which is")),
    (b"II*\0", "a TIFF with channels or numbers that are not read: save the images as one NPY array"),
    (b"MM\0*", "a TIFF with channels or numbers that are not read: save the images as one NPY array"),
    (b"version https://git-lfs", "a Git LFS pointer, not the image: git lfs pull fetches it"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"<svg", "an SVG drawing, which is not read: save it as PNG"),
)
"""What a file that Pillow does not know begins with, in small letters, and what it is."""


def _what_it_is(payload: bytes) -> str:
    """Of a file that Pillow does not know."""
    start = payload[:64].lstrip().lower() if payload[:1].isspace() or payload[:1] == b"<" else payload[:64]
    if payload[4:8] == b"ftyp" and payload[8:12] in HEIF_BRANDS:
        return NOT_READ.format("a HEIC or AVIF image, which is")
    return next((words for begin, words in STARTS if start.startswith(begin)), "not an image")


@contextmanager
def _pillow_errors(payload: bytes = b"") -> Iterator[None]:
    """Converts Pillow's exceptions to Unreadable; `payload` is the file that is opened."""
    try:
        yield
    except UnidentifiedImageError:
        raise Unreadable(_what_it_is(payload)) from None
    except Unreadable:
        raise
    except MemoryError:
        raise TooLargeForMemory("too large for the memory") from None
    except (
        Exception
    ) as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, IndexError, ...
        raise Unreadable(f"damaged: {' '.join(str(error).split())[:120] or type(error).__name__}") from None


def mode_of_channels(channels: int) -> str:
    """The mode of an array for which Pillow has none."""
    return f"{channels} channels"


def mode_channels(mode: str) -> int | None:
    """Number of channels of an array of this mode; None for Pillow's own modes."""
    count, _, word = mode.partition(" ")
    return int(count) if word == "channels" else None


def _read(opened: Image.Image, at_least: int | None, white: float | None = None) -> tuple[Image.Image, ImageFacts]:
    if opened.format in {"EPS", "WMF"}:  # Pillow would execute them with Ghostscript or Windows
        raise Unreadable("a vector drawing that would have to be executed")
    width, height = opened.size
    if width * height > LARGEST_PIXELS:
        raise Unreadable(
            f"refused: {width}x{height} pixels, more than {LARGEST_PIXELS >> 20} million (decompression bomb?)"
        )
    mode, animated = opened.mode, getattr(opened, "n_frames", 1) > 1
    if at_least:
        opened.draft("", (at_least, at_least))
    opened.load()
    (image, brightest), turn = _normalise(opened, white), _TURNS.get(_orientation(opened))
    if turn is not None:
        turned = image.transpose(turn)
        if turned.size != image.size:
            height, width = width, height
        image = turned
    return image, ImageFacts(height, width, mode, *_gray_and_alpha(image), animated, turn is not None, brightest)


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""What makes an image of each EXIF orientation upright."""


def _orientation(image: Image.Image) -> int:
    """By its EXIF block; 1, upright, where that is damaged: it costs no pixel."""
    try:
        return int(image.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:  # Pillow's reader of EXIF raises SyntaxError, TypeError, struct.error, ...
        return 1


def _normalise(image: Image.Image, white: float | None) -> tuple[Image.Image, float]:
    """The image in mode L, LA, RGB or RGBA with 8 bits, from any of Pillow's modes; the largest value of a deep one, or 0."""
    if is_deep(image.mode):
        return _from_deep(np.asarray(image), white)
    return _of_8_bits(image), 0.0


def is_deep(mode: str) -> bool:
    """Whether it is Pillow's mode of gray images of 16 or 32 bits."""
    return mode.startswith("I") or mode == "F"


def _of_8_bits(image: Image.Image) -> Image.Image:
    if "transparency" in image.info or image.mode in {"PA", "La", "RGBa"}:
        return image.convert("LA" if image.mode in {"L", "1", "La"} else "RGBA")
    if image.mode in {"1", "L"}:
        return image.convert("L")
    if image.mode in {"LA", "RGB", "RGBA"}:
        return image.copy()
    return image.convert("RGB")


def _from_deep(values: NDArray[np.generic], white: float | None) -> tuple[Image.Image, float]:
    """16 and 32 bit gray, scaled so that `white` is 255; and its largest value."""
    pixels = values.astype(np.float64)
    if not np.isfinite(pixels).all() or pixels.min() < 0:
        raise Unreadable("pixel values below zero or not finite")
    brightest = float(pixels.max())
    if brightest > WHITES[-1]:
        raise Unreadable(f"pixel values up to {brightest:g}, more than 16 bits")
    white = white_for(brightest) if white is None else white
    return Image.fromarray(np.round(np.minimum(pixels, white) * (255 / white)).astype(np.uint8)), brightest


def white_for(brightest: float) -> float:
    """The least of WHITES that values up to `brightest` do not exceed."""
    return WHITES[0] if brightest <= OVERSHOOT else next(white for white in WHITES if brightest <= white)


def _from_pixels(pixels: NDArray[np.uint8]) -> tuple[Picture, ImageFacts]:
    flat = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    if flat.ndim not in (2, 3) or (flat.ndim == 3 and not 1 < flat.shape[2] <= MOST_CHANNELS) or 0 in flat.shape:
        raise Unreadable(f"pixels of shape {pixels.shape}")
    height, width = flat.shape[:2]
    if flat.ndim == 3 and flat.shape[2] not in MODE_FOR:
        return flat, ImageFacts(height, width, mode_of_channels(flat.shape[2]), *[False] * 5)
    image = Image.fromarray(np.ascontiguousarray(flat))
    return image, ImageFacts(height, width, image.mode, *_gray_and_alpha(image), False, False)


def _gray_and_alpha(image: Image.Image) -> tuple[bool, bool, bool]:
    """Whether all colour channels are equal or nearly, whether only nearly, and whether any pixel is not opaque."""
    if image.mode == "L":
        return True, False, False
    pixels = np.asarray(image)
    alpha = image.mode in {"LA", "RGBA"} and bool(pixels[..., -1].min() < 255)
    if image.mode == "LA" or bool((pixels[..., :1] == pixels[..., 1:3]).all()):
        return True, False, alpha
    tinted = not alpha and nearly_gray(pixels)
    return tinted, tinted, alpha
