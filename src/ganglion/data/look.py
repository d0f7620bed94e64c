"""What one image looks like before preprocessing: its border, the box of its content, flat areas, hard edges.

Found in the scan, from the image that it has decoded anyway; what follows from many images is in choices.py. H height, W width,
C channels, R pixels of a border. Boxes of pixels are Pillow's: left, top, right, bottom.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

__all__ = ["WHOLE", "Border", "Look", "PixelBox", "content_box", "look_at", "nearly_gray", "plain_colour", "ring"]

Border = Literal["transparent", "plain", "busy"]
PixelBox = tuple[int, int, int, int]

WHOLE = (0.0, 0.0, 1.0, 1.0)
TRANSPARENT = 16  # alpha of 255; below, a pixel counts as transparent
TRANSPARENT_SHARE = 0.5  # of the border: what touches it here and there was cut out
PLAIN_SHARE = 0.8  # of the border, within PLAIN_LEVELS of its median: the noise of JPEG stays below
PLAIN_LEVELS = 12
CONTENT_LEVELS = 24  # from the border's colour

ROWS = 64  # looked at for flat areas and edges
DRAWING, PHOTO = 0.5, 0.2  # share of equal neighbours: from there drawn, up to there a photo
EDGE_LEVELS = 96  # of an edge, summed over three channels
BETWEEN, ASTRAY = (
    0.2,
    0.1,
)  # a pixel softens an edge that lies between its two sides, so far from both, and so near their line
LARGEST_PIXEL_ART = 128  # pixels of a side
FEW_COLOURS, FEW_SOFT, HARD_ALPHA = 0.3, 0.15, 0.95
ICON, ICON_COLOURS, ICON_SOFT = 20, 0.5, 0.5  # of a side, and what holds up to there: textures of a game have noise
SMALLEST_PHOTO = 32  # pixels of a side

GRAY_MEAN, GRAY_MOST = 4.0, 24  # levels between the channels of a pixel: the mean, and 99 % of them


class Look(NamedTuple):
    """Of one image. Height and width in pixels."""

    height: int
    width: int
    border: Border
    """Transparent, of one colour, or neither."""
    box: tuple[float, float, float, float]
    """Of what differs from the border: left, top, right, bottom as shares of width and height. WHOLE for a busy border."""
    flat: float
    """Share of neighbours in a row that are equal."""
    colours: float
    """Different colours for each opaque pixel; 1 where they are too many to count or the image is larger than pixel art."""
    gray: bool
    soft: float
    """Share of edges with a pixel that is a mixture of their two sides, as anti-aliasing leaves it: about a third of them."""

    @property
    def pixel_art(self) -> bool:
        if min(self.height, self.width) <= ICON and not self.gray:
            return self.colours <= ICON_COLOURS and self.soft <= ICON_SOFT
        return self.colours <= FEW_COLOURS and self.soft <= FEW_SOFT

    @property
    def kind(self) -> str:
        """drawing, photo or unclear, as what is cut out of a photo, painted finely, or small is."""
        if self.flat >= DRAWING or self.pixel_art:
            return "drawing"
        photo = self.flat <= PHOTO and self.border == "busy" and min(self.height, self.width) >= SMALLEST_PHOTO
        return "photo" if photo else "unclear"

    @property
    def shape(self) -> tuple[float, float]:
        """Height and width of the content in pixels."""
        left, top, right, bottom = self.box
        return (bottom - top) * self.height, (right - left) * self.width

    @property
    def fill(self) -> float:
        """The longer of the content's sides, each as a share of the frame's."""
        left, top, right, bottom = self.box
        return max(bottom - top, right - left)


def look_at(image: Image.Image | NDArray[np.uint8], height: int, width: int) -> Look:
    """The look of a decoded image of height x width pixels, which may have been decoded smaller."""
    if isinstance(image, np.ndarray):
        return Look(height, width, "busy", WHOLE, 0.0, 1.0, False, 1.0)
    image = image.convert("RGBA") if image.mode == "LA" else image
    border, found = _border_and_box(image)
    w, h = image.size
    left, top, right, bottom = found
    box = round(left / w, 4), round(top / h, 4), round(right / w, 4), round(bottom / h, 4)
    pixels = _three_axes(image)
    flat, soft = _flat_and_soft(pixels[:: -(-h // ROWS)])
    few = max(height, width) <= LARGEST_PIXEL_ART and soft <= ICON_SOFT
    colours = round(_colours(image, pixels), 3) if few else 1.0
    gray = pixels.shape[2] < 3 or bool((pixels[..., :1] == pixels[..., 1:3]).all())
    return Look(height, width, border, box, round(flat, 3), colours, gray, round(soft, 3))


def content_box(image: Image.Image) -> PixelBox:
    """Of what differs from a transparent or plain border; of the whole image where the border is neither, or nothing does."""
    return _border_and_box(image.convert("RGBA") if image.mode == "LA" else image)[1]


def ring(pixels: NDArray[Any]) -> NDArray[Any]:
    """The outermost pixels (R, C) of (H, W, C)."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def plain_colour(border: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The median colour (C,) of a border (R, C); None where fewer than 8 of 10 pixels are near it."""
    middle = np.median(border, 0)
    near = (np.abs(border - middle) <= PLAIN_LEVELS).all(1)
    return middle.astype(np.uint8) if near.mean() >= PLAIN_SHARE else None


def nearly_gray(pixels: NDArray[np.uint8]) -> bool:
    """Whether colours (H, W, 3 or more) differ from gray by no more than the noise of JPEG or of a scanner."""
    row = pixels[len(pixels) // 2, ::8, :3]  # most images in colour are told by it
    if (row.max(-1) - row.min(-1) > GRAY_MOST).mean() > 0.2:
        return False
    colours = pixels[:: -(-len(pixels) // ROWS), :, :3]
    apart = colours.max(-1) - colours.min(-1)
    return bool(apart.mean() <= GRAY_MEAN and (apart > GRAY_MOST).mean() <= 0.01)


def _three_axes(image: Image.Image) -> NDArray[np.uint8]:
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _border_and_box(image: Image.Image) -> tuple[Border, PixelBox]:
    whole = 0, 0, *image.size
    border = ring(_three_axes(image))
    if image.mode == "RGBA" and (border[:, -1] < TRANSPARENT).mean() >= TRANSPARENT_SHARE:
        seen = image.getchannel("A").point([0] * TRANSPARENT + [255] * (256 - TRANSPARENT))
        return "transparent", seen.getbbox() or whole
    colour = plain_colour(border)
    if colour is None:
        return "busy", whole
    ground = Image.new(image.mode, image.size, tuple(colour.tolist()) if len(colour) > 1 else int(colour[0]))
    apart = ImageChops.difference(image, ground)
    levels = [0] * CONTENT_LEVELS + [255] * (256 - CONTENT_LEVELS)
    return "plain", apart.point(levels * len(colour)).getbbox(alpha_only=False) or whole


def _flat_and_soft(pixels: NDArray[np.uint8]) -> tuple[float, float]:
    """Share of flat neighbours along the rows (H, W, C), and of edges that are soft; of opaque pixels alone."""
    opaque = pixels[..., -1] > 127 if pixels.shape[2] == 4 else np.ones(pixels.shape[:2], bool)
    values = (pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., [0, 0, 0]]).astype(np.int16)
    step = np.abs(np.diff(values, axis=1)).sum(-1)  # (H, W - 1)
    both = opaque[:, 1:] & opaque[:, :-1]
    flat = float((step == 0)[both].mean()) if both.any() else 0.0
    if step.shape[1] < 2:
        return flat, 0.0
    over = np.abs(values[:, 2:] - values[:, :-2]).sum(-1)  # (H, W - 2)
    edge = (over >= EDGE_LEVELS) & both[:, 1:] & both[:, :-1]
    near, far = step[:, 1:], step[:, :-1]
    soft = (np.minimum(near, far) > BETWEEN * over) & (near + far <= (1 + ASTRAY) * over)
    return flat, float(soft[edge].mean()) if edge.any() else 0.0


def _colours(image: Image.Image, pixels: NDArray[np.uint8]) -> float:
    """Different colours for each opaque pixel; 1 where alpha has levels between, or there are too many."""
    count: int = image.width * image.height
    if image.mode == "RGBA":
        alpha = pixels[..., -1]
        if ((alpha < TRANSPARENT) | (alpha > 255 - TRANSPARENT)).mean() < HARD_ALPHA:
            return 1.0
        count = int((alpha >= TRANSPARENT).sum())
    found: list[tuple[int, Any]] | None = image.getcolors(max(2, int(ICON_COLOURS * count) + 256))  # and hidden ones
    if found is None or not count:
        return 1.0
    shown = [colour for _, colour in found if image.mode != "RGBA" or colour[-1] >= TRANSPARENT]
    return len(shown) / count
