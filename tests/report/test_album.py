from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.pictures.embed import Level, data_uri
from ganglion.report.album import FEWEST, FRAMES, chosen_steps, data_uris, snapshots

PREFIX = "data:image/webp;base64,"


def picture(text: str) -> Image.Image:
    assert text.startswith(PREFIX)
    return Image.open(io.BytesIO(base64.b64decode(text.removeprefix(PREFIX))))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for kind in ("fixed", "fresh"):
        (tmp_path / kind).mkdir()
        for step in range(0, 600, 10):
            pixels = random.integers(0, 256, (96, 96, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / kind / f"{step:08d}.png")
    return tmp_path


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_in_a_page_is_the_picture(channels: int) -> None:
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    pixels = np.repeat(np.tile(ramp, (64, 1))[..., None], channels, 2)
    if channels == 4:
        pixels[..., 3] = 255
    seen = np.asarray(picture(data_uri(pixels)).convert("L")).astype(int)
    assert np.abs(seen - pixels[..., 0]).max() <= 12


def test_a_wide_picture_is_made_smaller():
    assert picture(data_uri(np.zeros((500, 2000, 3), np.uint8), Level(80, 400))).size == (400, 100)


def test_an_even_choice_keeps_the_first_the_best_and_the_last():
    steps = list(range(0, 1000, 10))
    chosen = chosen_steps(steps, 12, best=430)
    assert len(chosen) == 12
    assert {0, 430, 990} <= set(chosen)
    assert max(np.diff(chosen)) <= 200
    assert chosen_steps(steps[:5], 12) == steps[:5]


def test_snapshots_fit_the_budget_and_keep_the_best(run: Path) -> None:
    found = snapshots(run / "fixed", run / "fresh", 400_000, best_step=170)
    assert sum(len(one.fixed or "") + len(one.fresh or "") for one in found) <= 400_000
    assert {0, 170, 590} <= {one.step for one in found}
    assert FEWEST <= len(found) <= FRAMES


def test_where_there_is_room_quality_and_number_stay(run: Path) -> None:
    found = snapshots(run / "fixed", run / "fresh", 10**9)
    assert len(found) == FRAMES
    assert [one.step for one in found] == sorted(one.step for one in found)


def test_a_sheet_that_is_missing_is_left_out(run: Path) -> None:
    (run / "fresh" / "00000000.png").unlink()
    first = snapshots(run / "fixed", run / "fresh", 10**9)[0]
    assert first.step == 0
    assert first.fixed is not None
    assert first.fresh is None


def test_a_run_without_snapshots_has_none(tmp_path: Path) -> None:
    assert snapshots(tmp_path / "fixed", tmp_path / "fresh", 1000) == []


def test_pictures_are_as_fine_as_their_budget_allows() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (680, 680, 3), np.uint8)
    fine, coarse = data_uris([noise], 10**9), data_uris([noise], 100_000)
    assert picture(fine[0]).size == (680, 680)
    assert len(coarse[0]) <= 100_000 < len(fine[0])


def test_sheets_of_noise_fit_into_a_report(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for kind in ("fixed", "fresh"):
        (tmp_path / kind).mkdir()
        for step in range(FEWEST):
            pixels = random.integers(0, 256, (1042, 1042, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / kind / f"{step:08d}.png")
    found = snapshots(tmp_path / "fixed", tmp_path / "fresh", 1_100_000)
    assert len(found) == FEWEST
    assert sum(len(one.fixed or "") + len(one.fresh or "") for one in found) <= 1_100_000
