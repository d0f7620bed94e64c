"""Pictures inside a page: as WebP in the page itself, within a given number of bytes."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Snapshot", "chosen_steps", "snapshots", "uri"]

QUALITIES = 88, 75, 60
WIDEST = 680  # pixels; a sheet that is wider is made smaller
FRAMES = 40
FEWEST = 8

Pixels = NDArray[np.uint8]


class Snapshot:
    """A step, and its sheets in the page; None where the run has no such sheet."""

    def __init__(self, step: int, fixed: str | None, fresh: str | None) -> None:
        self.step, self.fixed, self.fresh = step, fixed, fresh


def uri(pixels: Pixels, quality: int = QUALITIES[0], widest: int = WIDEST) -> str:
    """uint8 (H, W, C) as a data URI, transparent where it has an alpha channel."""
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if picture.width > widest:
        picture = picture.resize((widest, round(picture.height * widest / picture.width)), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    picture.save(data, "WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()


def snapshots(fixed: Path, fresh: Path, budget: int, best_step: int | None = None) -> list[Snapshot]:
    """The sheets of a run over time, oldest first, in at most `budget` characters where eight snapshots allow it.

    First lower quality, then fewer snapshots; the first, the best and the last one always stay.
    """
    steps = sorted(
        {int(path.stem) for folder in (fixed, fresh) for path in folder.glob("*.png") if path.stem.isdigit()}
    )
    count, quality = min(FRAMES, len(steps)), 0
    while True:
        found = [
            Snapshot(step, *(_sheet(folder / f"{step:08d}.png", QUALITIES[quality]) for folder in (fixed, fresh)))
            for step in chosen_steps(steps, count, best_step)
        ]
        size = sum(len(text) for one in found for text in (one.fixed, one.fresh) if text)
        if size <= budget or (count <= FEWEST and quality == len(QUALITIES) - 1):
            return found
        if quality < len(QUALITIES) - 1:
            quality += 1
        else:
            count = max(FEWEST, min(count - 1, int(count * budget / size)))


def chosen_steps(steps: Sequence[int], count: int, best: int | None = None) -> list[int]:
    """At most so many of them, evenly, and the best one among them."""
    if len(steps) <= count:
        return list(steps)
    chosen = {steps[round(i * (len(steps) - 1) / max(1, count - 1))] for i in range(count)}
    if best is not None and best in steps:
        inner = sorted(chosen - {steps[0], steps[-1], best})
        if inner and best not in chosen:
            chosen.discard(min((abs(step - best), step) for step in inner)[1])
        chosen.add(best)
    return sorted(chosen)


def _sheet(path: Path, quality: int) -> str | None:
    if not path.is_file():
        return None
    with Image.open(path) as picture:
        plain = picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGBA")
        pixels = np.asarray(plain)
    return uri(pixels if pixels.ndim == 3 else pixels[..., None], quality)
