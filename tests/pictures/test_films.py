from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from ganglion.errors import DataError
from ganglion.pictures.films import FILMS, enlarged, write_film

FRAMES = [np.full((33, 48, 3), 20 * i, np.uint8) for i in range(10)]


def shades(path: Path) -> list[float]:
    """Mean brightness of each frame."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as container:
            return [float(frame.to_ndarray(format="rgb24").mean()) for frame in container.decode(video=0)]
    with Image.open(path) as film:
        found = []
        for i in range(film.n_frames):
            film.seek(i)
            found.append(float(np.asarray(film.convert("RGB")).mean()))
        return found


@pytest.mark.parametrize("suffix", FILMS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_film_holds_its_frames_in_order(tmp_path: Path, suffix: str, channels: int) -> None:
    frames = [frame[..., :1].repeat(channels, 2) for frame in FRAMES]
    if channels == 4:
        for frame in frames:
            frame[..., 3] = 255
    path = tmp_path / f"film{suffix}"
    assert write_film(iter(frames), path, fps=10) == 10
    assert shades(path) == pytest.approx([20 * i for i in range(10)], abs=4)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", FILMS)
def test_equal_frames_give_equal_bytes_whatever_memory_held_before(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.integers(0, 256, (9, 9), np.uint8), np.ones((8, 8), np.uint8))[:70, :70, None]
    frames = [np.roll(blocks, shift, 1) for shift in range(6)]
    found = set()
    for _ in range(30):
        used = [np.full(size, value, np.uint8) for size, value in rng.integers((100, 0), (300_000, 256), (20, 2))]
        del used
        write_film(frames, tmp_path / f"film{suffix}")
        found.add((tmp_path / f"film{suffix}").read_bytes())
    assert len(found) == 1


@pytest.mark.parametrize("fps", [0.5, 1.5, 24])
def test_a_film_is_as_fast_as_it_is_asked_to_be(tmp_path: Path, fps: float) -> None:
    write_film(FRAMES, tmp_path / "film.mp4", fps)
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert float(container.streams.video[0].average_rate or 0) == pytest.approx(fps)


def test_another_ending_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"FILE, FILE.mp4|FILE.mp4, FILE.gif, FILE.webp"):
        write_film(FRAMES, tmp_path / "film.avi")


def test_small_images_are_enlarged_pixel_by_pixel() -> None:
    image = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    large = enlarged(image, 64)
    assert large.shape == (64, 64, 3)
    assert np.array_equal(large[::4, ::4], image)
    assert enlarged(np.zeros((300, 400, 3), np.uint8)).shape == (300, 400, 3)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such file names")
@pytest.mark.parametrize("name", ["a:b.mp4", "x:y/z.mp4"])
def test_a_name_with_a_colon_is_a_file_and_no_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_film([np.zeros((32, 32, 3), np.uint8)] * 3, Path(name)) == 3
    assert (tmp_path / name).is_file()
