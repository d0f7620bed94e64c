"""`ganglion evaluate` as a person meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import ganglion
from ganglion.cli.app import app
from ganglion.errors import DataError


def run(cache: Path, *words: str):  # type: ignore[no-untyped-def]
    return CliRunner(env={"GANGLION_CACHE": str(cache)}).invoke(app, ["evaluate", *words])


def test_the_page_has_every_score_with_its_floor_and_all_it_depends_on(tiny_run: ganglion.Run, cache: Path) -> None:
    done = run(cache, str(tiny_run.path), "--n", "500", "--features", "random", "--device", "cpu")
    assert done.exit_code == 0
    for part in (
        "Samples: 500 of run", "seed 0; 16x16, 1 channels; hash ", "Real: 1,797 of scikit-learn's handwritten digits",
        "crop to 16x16 (Lanczos); hash", "Features: random, 448 per image, random convolutions",
        "Floor: the same score between 1,297 and 500 real images",
        "Seeds: 1.", "fid ", "coverage ", "Left out: modes, mode-divergence: ", "held out from training.",
    ):  # fmt: skip
        assert part in done.stdout


def test_json_is_one_object_on_standard_output(tiny_run: ganglion.Run, cache: Path) -> None:
    done = run(cache, str(tiny_run.path), "--n", "100", "--features", "random", "--metrics", "kid, swd", "--json")
    tree = json.loads(done.stdout)
    assert [score["name"] for score in tree["scores"]] == ["kid", "swd"]
    assert tree["seeds"] == 1


def test_all_checkpoints_make_a_table_and_a_curve(tiny_run: ganglion.Run, cache: Path) -> None:
    words = (str(tiny_run.path), "--all-checkpoints", "--n", "100", "--features", "random", "--metrics", "kid")
    done = run(cache, *words)
    assert "floor" in done.stdout
    assert f"Curve: {tiny_run.path / 'evaluation.svg'}" in done.stdout
    assert len(json.loads(run(cache, *words, "--json").stdout)["rows"]) == len(tiny_run.steps_saved())
    (tiny_run.path / "evaluation.svg").unlink()


@pytest.mark.parametrize("words", [("--seeds", "2"), ("--held-out", "digits"), ("--checkpoint", "latest")])
def test_what_all_checkpoints_would_ignore_is_refused(
    cache: Path, tiny_run: ganglion.Run, words: tuple[str, ...]
) -> None:
    done = run(cache, str(tiny_run.path), "--all-checkpoints", *words)
    assert done.exit_code == 2
    assert "for --all-checkpoints: it scores every" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere", "--against", "digits"), "nowhere"),
        (("digits",), "--against SOURCE is missing"),
        (("digits", "--against", "digits", "--metrics", "fdi"), "there is no score 'fdi'"),
        (("digits", "--against", "digits", "--features", "imagination"), "there are no features 'imagination'"),
        (("digits", "--against", "digits", "--n", "2000"), "fewer than --n 2,000"),
    ],
)
def test_mistakes_are_told_in_a_line(cache: Path, words: tuple[str, ...], message: str) -> None:
    done = run(cache, *words)
    assert isinstance(done.exception, DataError)
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)


def test_a_torchvision_that_does_not_fit_this_torch_breaks_no_score(tmp_path: Path, cache: Path) -> None:
    """One that was built for another torch fails while it is imported, with this error and not an ImportError."""
    broken = tmp_path / "site" / "torchvision"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text('raise RuntimeError("operator torchvision::nms does not exist")\n')
    np.save(tmp_path / "samples.npy", np.random.default_rng(0).integers(0, 256, (500, 8, 8, 1), np.uint8))
    words = ["evaluate", str(tmp_path / "samples.npy"), "--against", "digits", "--features", "random", "--json"]
    paths = os.pathsep.join([str(tmp_path / "site"), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", "from ganglion.cli.app import main; main()", *words], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": paths, "GANGLION_CACHE": str(cache)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tree = json.loads(done.stdout)
    assert {"fid", "ms-ssim", "swd", "nearer"} <= {score["name"] for score in tree["scores"]}
    assert set(tree["left_out"]) == {
        "fid-infinity",
        "modes",
        "mode-divergence",
    }  # few samples; features that know no classes
