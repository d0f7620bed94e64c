"""`ganglion timeline`: training as a film, from the sheets that a run left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ganglion.errors import RunError
from ganglion.pictures.films import enlarged, write_film
from ganglion.runs.folder import Run
from ganglion.runs.history import run_history

__all__ = ["SHEETS", "write_timeline"]


SHEETS = ("fixed", "fresh")
HOLD = 12  # times that the last frame is shown again
LEAST_SIDE = 480  # pixels of a frame
BAR = 22  # pixels of the strip that says how far training was


def write_timeline(run: str | Path | Run, out: str | Path, sheets: str = "fixed", fps: float = 8) -> int:
    """One frame a snapshot, and how many images had been seen below it; the last one stays a while. Returns the frames.

    `sheets`: fixed (the same latents) or fresh. Raises RunError where there are no snapshots, DataError, StorageError.
    """
    folder = run if isinstance(run, Run) else Run(run)
    place = {"fixed": folder.fixed_samples, "fresh": folder.fresh_samples}[sheets]
    paths = sorted(path for path in place.glob("*.png") if path.stem.isdigit())
    if not paths:
        raise RunError(f"{folder.path} has no snapshots yet ({place} is empty), so there is no film of it")
    per_step = folder.recipe.training.batch / 1000
    kimg = {record["step"]: record["kimg"] for record in run_history(folder).records}
    words = [f"{kimg.get(int(path.stem), int(path.stem) * per_step):,.1f} kimg" for path in paths]
    return write_film(_frames(paths, words), Path(out), fps)


def _frames(paths: Sequence[Path], words: Sequence[str]) -> Iterator[NDArray[np.uint8]]:
    size: tuple[int, int] | None = None
    for path, word in zip(paths, words, strict=True):
        with Image.open(path) as picture:
            pixels = enlarged(np.asarray(picture.convert("RGB")), LEAST_SIDE)
        frame = Image.new("RGB", (pixels.shape[1], pixels.shape[0] + BAR), "white")
        frame.paste(Image.fromarray(pixels), (0, 0))
        size = size or frame.size
        if frame.size != size:
            raise RunError(f"{path} has another size than the snapshots before it")
        ImageDraw.Draw(frame).text((6, pixels.shape[0] + 5), word, fill="black")
        drawn = np.asarray(frame)
        yield drawn
    for _ in range(HOLD):
        yield drawn
