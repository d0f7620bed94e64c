from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ganglion
from ganglion.api import leave_report
from ganglion.errors import TrainingFailed
from tiny import TINY


def trained(folder: Path, cache: Path, **more: Any) -> ganglion.Run:
    asked: dict[str, Any] = {
        "recipe": "dcgan", "size": 16, "steps": 10, "run": folder, "precision": "32", "device": "cpu", "set": TINY,
        "cache": cache, "quiet": True,
    }  # fmt: skip
    return ganglion.train("digits", **asked | more)


def test_training_leaves_a_report(tiny_run: ganglion.Run) -> None:
    assert "<section" in (tiny_run.path / "report.html").read_text(encoding="utf-8")


def test_so_does_a_training_that_failed(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(TrainingFailed):
        trained(tmp_path / "run", cache, steps=40, set=TINY | {"optimizer.discriminator.lr": 1e20})
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "non-finite" in text


def test_what_happens_at_the_end_can_be_replaced(tmp_path: Path, cache: Path) -> None:
    seen: list[Path] = []
    trained(tmp_path / "run", cache, at_end=lambda run: seen.append(run.path))
    assert seen == [tmp_path / "run"]
    assert not (tmp_path / "run" / "report.html").exists()


def test_a_report_that_cannot_be_made_is_said_and_raises_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_report(ganglion.Run(tmp_path))
    assert "could not be made (RunError" in capsys.readouterr().err
