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
from ganglion.report.watched import is_watched, watched_history
from ganglion.runs.folder import Run
from ganglion.runs.history import RunHistory, run_history

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
    kimg = {record["step"]: record["kimg"] for record in _history(folder).records}
    steps = [int(path.stem) for path in paths]
    words = [f"{kimg[step]:,.1f} kimg" if step in kimg else f"step {step:,}" for step in steps]
    return write_film(_frames(paths, words), Path(out), fps)


def _history(folder: Run) -> RunHistory:
    return watched_history(folder.path) if is_watched(folder.path) else run_history(folder)


def _frames(paths: Sequence[Path], words: Sequence[str]) -> Iterator[NDArray[np.uint8]]:
    size = _largest(paths)
    for path, word in zip(paths, words, strict=True):
        sheet = Image.new("RGB", size, "white")  # a watched loop's batches, and so its sheets, may differ in size
        with Image.open(path) as picture:
            sheet.paste(over_white(picture), (0, 0))
        pixels = enlarged(np.asarray(sheet), LEAST_SIDE)
        frame = Image.new("RGB", (pixels.shape[1], pixels.shape[0] + BAR), "white")
        frame.paste(Image.fromarray(pixels), (0, 0))
        ImageDraw.Draw(frame).text((6, pixels.shape[0] + 5), word, fill="black")
        drawn = np.asarray(frame)
        yield drawn
    for _ in range(HOLD):
        yield drawn


def _largest(paths: Sequence[Path]) -> tuple[int, int]:
    """The greatest width and height of these pictures."""
    sizes = []
    for path in paths:
        with Image.open(path) as picture:
            sizes.append(picture.size)
    return max(width for width, _ in sizes), max(height for _, height in sizes)
