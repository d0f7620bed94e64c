from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import ganglion
from ganglion.errors import DataError, RunError
from ganglion.report.timeline import HOLD, LEAST_SIDE, write_timeline
from ganglion.runs.folder import Run


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_film_has_a_frame_for_each_snapshot_and_rests_on_the_last(
    digits_run: ganglion.Run, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"film{suffix}"
    sheets = sorted(digits_run.fixed_samples.glob("*.png"))
    assert write_timeline(digits_run, out) == len(sheets) + HOLD
    with av.open(str(out)) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) >= len(sheets)  # a GIF joins frames that are equal
    with Image.open(sheets[0]) as first:
        times = round(LEAST_SIDE / min(first.size))
        shown = np.asarray(first.convert("RGB")).repeat(times, 0).repeat(times, 1).astype(int)
    height, width = (side // 2 * 2 for side in shown.shape[:2])
    assert np.abs(frames[0][:height, :width] - shown[:height, :width]).mean() < 6


def test_equal_runs_give_equal_films(digits_run: ganglion.Run, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_timeline(digits_run, tmp_path / name, sheets="fresh")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_run_without_snapshots_has_no_film(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no snapshots yet"):
        write_timeline(Run(tmp_path), tmp_path / "a.mp4")


def test_another_ending_is_refused(digits_run: ganglion.Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=".mp4"):
        write_timeline(digits_run, tmp_path / "a.avi")
