"""Pictures as HTML: data URIs without files, figures, and grids from which a picture can be picked. Every text is escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganglion.pictures.sheets import ShownChannels, to_pillow

__all__ = ["PICK", "data_uri", "figure", "film_player", "note", "picks", "row", "sentence"]

LARGEST = 512  # pixels; larger pictures are scaled down for the page
THUMBNAIL = 128
FAST = 1  # zlib's level: three times as fast as the default, and a quarter larger

PICK = """
element.addEventListener('click', event => {
  const button = event.target.closest('button[data-place]');
  if (button) trigger('pick', {place: Number(button.dataset.place)});
});
"""
"""Script of a grid: a click, or Enter on a focused picture, is the event `pick` with its place."""

Pixels = NDArray[np.uint8]


def data_uri(pixels: Pixels, channels: ShownChannels = None, largest: int = LARGEST) -> str:
    """uint8 (H, W, C) as a PNG in a data URI; its pixels unchanged unless a side is longer than `largest`."""
    image = to_pillow(pixels, channels)
    if max(image.size) > largest:
        image.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    held = io.BytesIO()
    image.save(held, "PNG", compress_level=FAST)
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode()


def figure(pixels: Pixels, alt: str, caption: str = "", channels: ShownChannels = None, kind: str = "") -> str:
    """A picture (H, W, C) with a caption below; `kind` is a class of the style sheet."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure class="shot {kind}">{_img(pixels, alt, channels)}{below}</figure>'


def row(pictures: Pixels | Sequence[Pixels], captions: Sequence[str], channels: ShownChannels = None) -> str:
    """Pictures (N, H, W, C) beside one another, each with its caption, which is its description too."""
    shots = [figure(one, text, text, channels) for one, text in zip(pictures, captions, strict=True)]
    return f'<div class="shots">{"".join(shots)}</div>'


def picks(pictures: Pixels, names: Sequence[str], channels: ShownChannels = None, label: str = "") -> str:
    """Pictures (N, H, W, C) as buttons; `PICK` is the script that goes with them. `label` describes the grid."""
    buttons = [
        f'<button type="button" data-place="{place}" title="{escape(name)}">{_img(one, name, channels, THUMBNAIL)}</button>'
        for place, (one, name) in enumerate(zip(pictures, names, strict=True))
    ]
    return f'<div class="picks" role="group" aria-label="{escape(label)}">{"".join(buttons)}</div>'


def film_player(content: bytes, label: str, name: str) -> str:
    """An MP4 with a player and a link that saves it as `name`."""
    uri = "data:video/mp4;base64," + base64.b64encode(content).decode()
    player = f'<video src="{uri}" aria-label="{escape(label)}" controls loop muted autoplay playsinline></video>'
    link = f'<a href="{uri}" download="{escape(name)}">Save {escape(name)}</a>'
    return f'<figure class="shot film">{player}<figcaption>{link}</figcaption></figure>'


def note(text: str, kind: str = "plain") -> str:
    """A sentence; `kind` is plain, good or bad. Nothing for an empty text."""
    return f'<p class="note {kind}">{escape(text)}</p>' if text else ""


def sentence(text: str) -> str:
    """An error's text with a capital letter and a full stop; a name of a file at its beginning stays as it is."""
    first = text.partition(" ")[0]
    return (text[:1].upper() + text[1:] if first.isalpha() else text) + ("" if text.endswith((".", ":")) else ".")


def _img(pixels: Pixels, alt: str, channels: ShownChannels, largest: int = LARGEST) -> str:
    h, w = pixels.shape[:2]
    shape = f'width="{w}" height="{h}" style="--ratio:{w / h:.4f}"'
    return f'<img src="{data_uri(pixels, channels, largest)}" alt="{escape(alt)}" {shape}>'
