"""Frames as a video: MP4 with FFmpeg's libraries from PyAV; GIF and WebP with Pillow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganglion.errors import DataError
from ganglion.pictures.sheets import display_channels
from ganglion.platform.files import move, storage_errors

__all__ = ["FILMS", "enlarged", "write_film"]


FILMS = (".mp4", ".gif", ".webp")

Frames = Iterable[NDArray[np.uint8]]
"""uint8 (H, W, C), all of one size."""

_X264 = {"crf": "18", "threads": "1", "x264-params": "mbtree=0"}
"""Equal frames give equal bytes: x264's macroblock tree reads memory that it has not written where sides are no
multiple of 16, and its bits then vary from film to film."""


def write_film(frames: Frames, path: Path, fps: float = 24) -> int:
    """Writes the frames one by one, with constant memory; returns their number. Raises DataError, StorageError.

    MP4 is H.264 with even sides, for playback in browsers; GIF and WebP loop forever.
    """
    suffix = path.suffix.lower()
    if suffix not in FILMS:
        raise DataError(f"a video must be FILE{', FILE'.join(FILMS)}; got {path}")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.stem}.part{suffix}")
        try:
            count = _write_mp4(frames, partial, fps) if suffix == ".mp4" else _write_animation(frames, partial, fps)
            move(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    return count


def enlarged(image: NDArray[np.uint8], least_side: int = 256) -> NDArray[np.uint8]:
    """An image (H, W, C) with pixels repeated until its shorter side has about `least_side` pixels."""
    times = max(1, round(least_side / min(image.shape[:2])))
    return image.repeat(times, 0).repeat(times, 1)


def _write_mp4(frames: Frames, path: Path, fps: float) -> int:
    import av

    count = 0
    with av.open(str(path.absolute()), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000), options=_X264)
        stream.pix_fmt = "yuv420p"
        for frame in map(_colour, frames):
            height, width = frame.shape[0] // 2 * 2, frame.shape[1] // 2 * 2
            if count == 0:
                stream.height, stream.width = height, width
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="rgb24")
            for packet in stream.encode(picture):
                container.mux(packet)
            count += 1
        for packet in stream.encode():
            container.mux(packet)
    return count


def _write_animation(frames: Frames, path: Path, fps: float) -> int:
    pictures: Iterator[Image.Image] = (Image.fromarray(_colour(frame)) for frame in frames)
    first = next(pictures)
    counted = _Counter(pictures)
    first.save(path, save_all=True, append_images=counted, duration=round(1000 / fps), loop=0)
    return counted.count + 1


class _Counter:
    def __init__(self, pictures: Iterator[Image.Image]) -> None:
        self._pictures, self.count = pictures, 0

    def __iter__(self) -> Iterator[Image.Image]:
        for picture in self._pictures:
            self.count += 1
            yield picture


def _colour(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB; images with alpha are composited over white."""
    frame = display_channels(frame)
    if frame.shape[2] == 1:
        return frame.repeat(3, 2)
    if frame.shape[2] == 4:
        share = frame[..., 3:].astype(np.float32) / 255
        return np.round(frame[..., :3] * share + 255 * (1 - share)).astype(np.uint8)
    return frame
