"""Runs in fresh processes that are killed, interrupted and continued, against runs that were left alone.

`struck.py` says how a process is hit at an exact place, so that every moment of a save can be, and always the same one.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import ganglion
from struck import struck_command
from tiny import TINY, as_options

STEPS = 25

WHAT_IS_REMEMBERED = {
    "augment.kind": "ada", "objective.historical_averaging_weight": 0.01,
    "objective.penalties": '[{"kind": "lecam", "weight": 0.1, "interval_updates": 2}]',
    "generator.norm": "virtual-batch", "discriminator.minibatch": "stddev", "objective.instance_noise.std": 0.1,
    "balance.pause_above_auc": 0.95, "balance.g_steps": 2,
}  # fmt: skip
"""Everything that a step hands to later ones beside weights and optimisers."""
MODES = {"32": {}, "bf16": WHAT_IS_REMEMBERED}
"""A plain run, and one in the other precision with all that there is to remember."""


def train_and_strike(
    folder: Path, cache: Path, at: int, precision: str, strike: str = "KILL", *more: str
) -> subprocess.CompletedProcess[str]:
    """`ganglion train` in a fresh process that is struck at its `at`-th file operation in `folder` (0: never)."""
    settings = as_options(TINY | MODES[precision])
    command = [
        "train",
        "digits",
        "--recipe",
        "dcgan",
        "--size",
        "16",
        "--steps",
        str(STEPS),
        "--run",
        str(folder),
        "--device",
        "cpu",
        "--no-report",
    ]
    return struck_command(folder, cache, at, strike, *command, "--precision", precision, *settings, *more)


def files(folder: Path) -> dict[str, bytes]:
    newest = ganglion.Run(folder).checkpoint("latest")
    return {path.name: path.read_bytes() for path in newest.glob("*.safetensors")}


@pytest.fixture(scope="module", params=list(MODES))
def left_alone(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cache: Path
) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("alone") / "run"
    done = train_and_strike(folder, cache, 0, request.param)
    assert done.returncode == 0, done.stderr
    return folder, request.param


def test_a_run_killed_many_times_ends_with_the_bits_of_one_left_alone(
    left_alone: tuple[Path, str], tmp_path: Path, cache: Path
) -> None:
    whole, precision = left_alone
    folder = tmp_path / "run"
    for at in (9, 37, 52, 61):  # before the first checkpoint, in the midst of one, between two, ...
        struck = train_and_strike(folder, cache, at, precision)
        assert abs(struck.returncode) == 9, struck.stderr  # SIGKILL; on Windows the exit code that os.kill was told
    done = train_and_strike(folder, cache, 0, precision)
    assert done.returncode == 0, done.stderr
    assert files(folder) == files(whole)
    records, expected = ganglion.Run(folder).records(), ganglion.Run(whole).records()
    exact = ("step", "kimg", "loss_d", "loss_g", "logit_real", "logit_fake", "frechet", "relative_distance")
    assert [[r.get(key) for key in exact] for r in records] == [[r.get(key) for key in exact] for r in expected]
    for sheet in (whole / "samples").rglob("*.png"):
        assert (folder / sheet.relative_to(whole)).read_bytes() == sheet.read_bytes()


def test_a_run_from_another_one_ends_with_the_bits_of_one_left_alone_though_it_is_killed_and_the_other_is_gone(
    left_alone: tuple[Path, str], tmp_path: Path, cache: Path
) -> None:
    finished, precision = left_alone
    other, folder, whole = tmp_path / "other", tmp_path / "run", tmp_path / "whole"
    shutil.copytree(finished, other)
    begin = ("--from", str(other))
    for at in (11, 24, 45):  # before its first checkpoint, before start.json, before its first record
        struck = train_and_strike(folder, cache, at, precision, "KILL", *begin)
        assert abs(struck.returncode) == 9, struck.stderr
    assert train_and_strike(whole, cache, 0, precision, "KILL", *begin).returncode == 0
    assert ganglion.Run(folder).steps_saved() == [0]
    assert (folder / "start.json").exists()
    shutil.rmtree(other)
    struck = train_and_strike(folder, cache, 60, precision, "KILL", *begin)
    assert abs(struck.returncode) == 9, struck.stderr
    done = train_and_strike(folder, cache, 0, precision, "KILL", *begin)
    assert done.returncode == 0, done.stderr
    assert files(folder) == files(whole)
    assert files(folder) != files(finished)


@pytest.mark.parametrize("strike", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_saves_exits_with_130_and_goes_on_exactly(
    left_alone: tuple[Path, str], tmp_path: Path, cache: Path, strike: str
) -> None:
    whole, precision = left_alone
    folder = tmp_path / "run"
    stopped = train_and_strike(folder, cache, 50, precision, strike)
    assert stopped.returncode == 130, stopped.stderr
    assert "interrupted and saved" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert ganglion.Run(folder).steps_saved()[-1] < STEPS
    assert train_and_strike(folder, cache, 0, precision).returncode == 0
    assert files(folder) == files(whole)


def test_a_damaged_newest_checkpoint_costs_only_its_steps(
    left_alone: tuple[Path, str], tmp_path: Path, cache: Path
) -> None:
    whole, precision = left_alone
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / "checkpoints" / f"{STEPS:08d}" / "generator.safetensors").write_bytes(b"rubbish")
    done = train_and_strike(folder, cache, 0, precision)
    assert done.returncode == 0, done.stderr
    assert "damaged" in done.stderr
    assert "Resuming at step 20" in done.stderr
    assert files(folder) == files(whole)
