from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ganglion
from ganglion.errors import CheckpointError, DataError, RunError
from ganglion.evaluation.curve import Curve, evaluate_checkpoints
from ganglion.evaluation.evaluate import evaluate


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
    assert table[len(curve.rows) + 1].split()[0] == "floor"


def test_what_is_no_run_or_has_no_checkpoint_is_said(tmp_path: Path, cache: Path, tiny_run: ganglion.Run) -> None:
    with pytest.raises(RunError, match="needs a run"):
        evaluate_checkpoints(tmp_path, cache=cache, quiet=True)
    (tmp_path / "recipe.yaml").write_text(tiny_run.recipe_path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        evaluate_checkpoints(tmp_path, cache=cache, quiet=True)


def test_a_score_that_half_of_the_reals_cannot_support_has_no_floor_and_is_shown_all_the_same(
    tiny_run: ganglion.Run, tmp_path: Path, cache: Path
) -> None:
    """600 reals are enough for the covariance of 448 features, 300 are not."""
    np.save(tmp_path / "reals.npy", np.random.default_rng(0).integers(0, 256, (600, 16, 16, 1), np.uint8))
    curve = evaluate_checkpoints(
        tiny_run.path, tmp_path / "reals.npy", n=600, features="random", metrics=["fid", "kid"], cache=cache,
        device="cpu", quiet=True,
    )  # fmt: skip
    assert list(curve.floor) == ["kid"]
    floor = next(line for line in curve.table().splitlines() if line.split()[0] == "floor")
    assert len(floor.split()) == 2
    Path(curve.picture).unlink()


@pytest.mark.parametrize(
    ("name", "values", "floor", "starred"),
    [
        ("fid", [3.0, 1.0, 2.0], 0.5, "1"), ("recall", [0.1, 0.7, 0.3], 0.9, "0.7"),
        ("ms-ssim", [0.9, 0.32, 0.1], 0.3, "0.32"), ("nearer", [1.0, 0.52, 0.1], 0.5, "0.52"),
    ],
)  # fmt: skip
def test_the_star_stands_at_the_value_that_good_samples_have(
    name: str, values: list[float], floor: float, starred: str
) -> None:
    rows = [{"step": float(i), "kimg": float(i), name: value} for i, value in enumerate(values)]
    table = Curve("random", 100, rows, {name: floor}, "curve.svg", {}, []).table()
    assert [line.split()[-1] for line in table.splitlines() if "*" in line] == [f"{starred}*"]


def test_what_was_left_out_and_what_is_to_be_noted_stand_below_the_table(tiny_run: ganglion.Run, cache: Path) -> None:
    found = evaluate_checkpoints(
        tiny_run.path, n=50, features="random", metrics=["fid", "kid", "swd"], cache=cache, device="cpu", quiet=True
    )
    assert {name for name in found.rows[0] if name in ("fid", "kid", "swd")} == {"kid", "swd"}
    last = found.table().splitlines()[-len(found.notes) - 1 :]
    assert last[0].startswith("Left out: fid: 50 images are too few for the covariance")
    assert any(line.startswith("Note: SWD compares 50 images") for line in last)
    assert found.to_json()["left_out"].keys() == {"fid"}


def test_scores_of_which_none_can_be_measured_end_with_the_reason(tiny_run: ganglion.Run, cache: Path) -> None:
    with pytest.raises(DataError, match="none of fid can be measured: 50 images are too few"):
        evaluate_checkpoints(
            tiny_run.path, n=50, features="random", metrics=["fid"], cache=cache, device="cpu", quiet=True
        )
