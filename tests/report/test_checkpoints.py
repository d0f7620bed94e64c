from __future__ import annotations

from pathlib import Path

import pytest

import ganglion
from ganglion.errors import CheckpointError, DataError, RunError
from ganglion.report.checkpoints import evaluate_checkpoints
from ganglion.report.evaluate import evaluate


def test_each_checkpoint_is_scored_as_evaluate_scores_it(tiny_run: ganglion.Run, cache: Path) -> None:
    curve = evaluate_checkpoints(
        tiny_run.path, n=300, features="random", metrics=["kid", "swd"], cache=cache, device="cpu", quiet=True
    )
    assert [row["step"] for row in curve.rows] == tiny_run.steps_saved()
    assert all(row["kimg"] == pytest.approx(row["step"] * 8 / 1000) for row in curve.rows)
    last = evaluate(
        tiny_run.path, n=300, checkpoint="latest", features="random", metrics=["kid", "swd"], cache=cache, device="cpu",
        quiet=True,
    )  # fmt: skip
    assert curve.rows[-1]["kid"] == pytest.approx(last["kid"])
    assert curve.floor["kid"] == pytest.approx(last.scores[0].floor)
    assert Path(curve.picture).read_text(encoding="utf-8").startswith("<svg")
    Path(curve.picture).unlink()
    table = curve.table().splitlines()
    assert table[0].split() == ["step", "kimg", "kid", "swd"]
    assert sum("*" in line for line in table) >= 1
    assert table[-1].split()[0] == "floor"


def test_what_is_no_run_or_has_no_checkpoint_is_said(tmp_path: Path, cache: Path, tiny_run: ganglion.Run) -> None:
    with pytest.raises(RunError, match="goes with a run"):
        evaluate_checkpoints(tmp_path, cache=cache, quiet=True)
    (tmp_path / "recipe.yaml").write_text(tiny_run.recipe_path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        evaluate_checkpoints(tmp_path, cache=cache, quiet=True)


def test_scores_of_which_none_can_be_measured_end_with_the_reason(tiny_run: ganglion.Run, cache: Path) -> None:
    with pytest.raises(DataError, match="none of fid can be measured here: 50 images are too few"):
        evaluate_checkpoints(
            tiny_run.path, n=50, features="random", metrics=["fid"], cache=cache, device="cpu", quiet=True
        )
