"""`ganglion timeline`: a video of the training, from the sample sheets of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ganglion.errors import RunError
from ganglion.pictures.films import enlarged, write_film
from ganglion.pictures.sheets import over_white
from ganglion.runs.folder import Run
from ganglion.runs.history import run_history

__all__ = ["SHEETS", "write_timeline"]


SHEETS = ("fixed", "fresh")
HOLD = 12  # repetitions of the last frame
LEAST_SIDE = 480  # pixels of a frame
BAR = 22  # pixels of the strip with the number of images


def write_timeline(run: str | Path | Run, out: str | Path, sheets: str = "fixed", fps: float = 8) -> int:
    """One frame per snapshot, with the number of images below it; the last one is repeated. Returns the number of frames.

    `sheets`: fixed (the same latents) or fresh. Raises RunError where there are no snapshots, DataError, StorageError.
    """
    folder = run if isinstance(run, Run) else Run(run)
    samples = {"fixed": folder.fixed_samples, "fresh": folder.fresh_samples}[sheets]
    paths = sorted(path for path in samples.glob("*.png") if path.stem.isdigit())
    if not paths:
        raise RunError(f"{folder.path} has no snapshots yet ({samples} is empty): train it for longer first")
    per_step = folder.recipe.training.batch / 1000
    kimg = {record["step"]: record["kimg"] for record in run_history(folder).records}
    words = [f"{kimg.get(int(path.stem), int(path.stem) * per_step):,.1f} kimg" for path in paths]
    return write_film(_frames(paths, words), Path(out), fps)


def _frames(paths: Sequence[Path], words: Sequence[str]) -> Iterator[NDArray[np.uint8]]:
    size: tuple[int, int] | None = None
    for path, word in zip(paths, words, strict=True):
        with Image.open(path) as picture:
            pixels = enlarged(np.asarray(over_white(picture)), LEAST_SIDE)
        frame = Image.new("RGB", (pixels.shape[1], pixels.shape[0] + BAR), "white")
        frame.paste(Image.fromarray(pixels), (0, 0))
        size = size or frame.size
        if frame.size != size:
            raise RunError(f"{path} has a different size from the snapshots before it: remove it")
        ImageDraw.Draw(frame).text((6, pixels.shape[0] + 5), word, fill="black")
        drawn = np.asarray(frame)
        yield drawn
    for _ in range(HOLD):
        yield drawn
