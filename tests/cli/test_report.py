from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ganglion


def test_a_report_lies_in_the_run_and_its_place_is_said(command: Callable[..., object], own_run: Path) -> None:
    assert not (own_run / "report.html").exists()
    ended = command("report", own_run)
    assert ended.code == 0
    assert str(own_run / "report.html") in ended.out
    assert (own_run / "report.html").stat().st_size > 500_000


def test_figures_are_counted(command: Callable[..., object], own_run: Path, tmp_path: Path) -> None:
    ended = command("report", own_run, "--figures", tmp_path / "figures", "--format", "png")
    assert ended.code == 0
    written = list((tmp_path / "figures").iterdir())
    assert f"{len(written)} figures" in ended.out
    assert {path.suffix for path in written} == {".png"}


def test_what_is_wrong_is_refused(refused: Callable[..., str], tmp_path: Path, own_run: Path) -> None:
    assert "is not a run" in refused("report", tmp_path / "nowhere")
    assert "svg or png" in refused("report", own_run, "--figures", tmp_path / "f", "--format", "pdf")


def test_compare_prints_tables_and_writes_a_page(
    command: Callable[..., object], digits_run: ganglion.Run, tiny_run: ganglion.Run, tmp_path: Path
) -> None:
    ended = command("compare", digits_run.path, tiny_run.path, "--out", tmp_path / "c.html")
    assert ended.code == 0
    assert "latent.dim" in ended.out
    assert (tmp_path / "c.html").stat().st_size > 500_000


def test_compare_refuses_fewer_than_two_runs(refused: Callable[..., str], tiny_run: ganglion.Run) -> None:
    assert "at least two runs" in refused("compare", tiny_run.path)


def test_a_timeline_is_a_film(command: Callable[..., object], own_run: Path) -> None:
    ended = command("timeline", own_run)
    assert ended.code == 0
    assert (own_run / "timeline.mp4").stat().st_size > 1000


def test_a_timeline_of_other_sheets_is_refused(refused: Callable[..., str], own_run: Path) -> None:
    assert "fixed or fresh" in refused("timeline", own_run, "--sheets", "best")
