from __future__ import annotations

from pathlib import Path

import pytest
import torch

import ganglion
from ganglion.report.report import write_report
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
