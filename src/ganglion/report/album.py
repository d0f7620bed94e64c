"""Images embedded in a page as WebP data URIs, within a given number of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganglion.pictures.embed import FINE, Level, data_uri

__all__ = ["Snapshot", "chosen_steps", "data_uris", "snapshots"]


COARSER = (Level(75, 680), Level(60, 680), Level(60, 480), Level(50, 360))
FRAMES = 40
FEWEST = 8

Pixels = NDArray[np.uint8]


class Snapshot:
    """A step and its sheets as data URIs; None where the run has no such sheet."""

    def __init__(self, step: int, fixed: str | None, fresh: str | None) -> None:
        self.step, self.fixed, self.fresh = step, fixed, fresh


def data_uris(pictures: Sequence[Pixels], budget: int) -> list[str]:
    """Images as data URIs, all at the finest level at which they have at most `budget` characters, or else the coarsest."""
    for level in (FINE, *COARSER):
        encoded = [data_uri(pixels, level) for pixels in pictures]
        if sum(map(len, encoded)) <= budget:
            break
    return encoded


def snapshots(fixed: Path, fresh: Path, budget: int, best_step: int | None = None) -> list[Snapshot]:
    """The sheets of a run over time, oldest first, in at most `budget` characters if possible.

    Quality is reduced first, then the number of sheets, then quality again; the first, the best and the last one are kept.
    """
    steps = sorted(
        {int(path.stem) for folder in (fixed, fresh) for path in folder.glob("*.png") if path.stem.isdigit()}
    )
    found: list[Snapshot] = []
    for most, level in [(FRAMES, level) for level in (FINE, *COARSER[:2])] + [
        (count, COARSER[1]) for count in (28, 20, 14)
    ] + [(FEWEST, level) for level in COARSER[1:]]:  # fmt: skip
        found = [
            Snapshot(step, *(_sheet(folder / f"{step:08d}.png", level) for folder in (fixed, fresh)))
            for step in chosen_steps(steps, most, best_step)
        ]
        if sum(len(text) for one in found for text in (one.fixed, one.fresh) if text) <= budget:
            break
    return found


def chosen_steps(steps: Sequence[int], count: int, best: int | None = None) -> list[int]:
    """At most `count` of the steps, evenly spaced, including the best one."""
    if len(steps) <= count:
        return list(steps)
    chosen = {steps[round(i * (len(steps) - 1) / max(1, count - 1))] for i in range(count)}
    if best is not None and best in steps:
        inner = sorted(chosen - {steps[0], steps[-1], best})
        if inner and best not in chosen:
            chosen.discard(min((abs(step - best), step) for step in inner)[1])
        chosen.add(best)
    return sorted(chosen)


def _sheet(path: Path, level: Level) -> str | None:
    if not path.is_file():
        return None
    with Image.open(path) as picture:
        plain = picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGBA")
        pixels = np.asarray(plain)
    return data_uri(pixels if pixels.ndim == 3 else pixels[..., None], level)
