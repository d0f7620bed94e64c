from __future__ import annotations

from pathlib import Path

import pytest
import torch

import ganglion
from ganglion.report.figures import write_figures
from ganglion.report.report import write_report
from ganglion.report.timeline import HOLD, write_timeline
from watch_loops import tutorial


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("watched")
    torch.manual_seed(0)
    monitors = []
    tutorial(12, lambda *players: monitors.append(ganglion.watch(*players, every=2, out=place, say=lambda text: None)))
    monitors[0].log(loss_d=1.0, loss_g=0.5)
    monitors[0].close()
    return place


def test_its_charts_and_its_film_need_no_recipe(folder: Path, tmp_path: Path) -> None:
    written = write_figures(folder, tmp_path / "charts")
    assert sorted(written) == sorted((tmp_path / "charts").iterdir())
    assert {"separation.svg", "diversity.svg"} <= {path.name for path in written}
    sheets = list((folder / "samples" / "fixed").glob("*.png"))
    assert write_timeline(folder, tmp_path / "film.gif") == len(sheets) + HOLD


def test_a_watched_folder_gives_a_report_with_verdict_samples_and_vitals(folder: Path) -> None:
    target = write_report(folder)
    page = target.read_text(encoding="utf-8")
    assert target == folder / "report.html"
    for part in (
        "a watched training",
        "12 steps of G",
        "Verdict",
        "What was seen",
        "data:image/webp",
        "D AUC",
        "Diversity",
    ):
        assert part in page
    assert "Latent space" not in page
    assert "Fresh latents" not in page
    assert len(page) < 3_100_000
