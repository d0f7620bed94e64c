"""`--networks FILE.py`: the run keeps the file, goes on with no other, and executes no file but that one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ganglion
from ganglion.errors import RunError
from tiny import as_options

FILE = """
from torch import nn
def generator(recipe):
    return nn.Sequential(nn.Linear(recipe.latent.dim, 256), nn.Dropout(0.1), nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))
def discriminator(recipe):
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 16), nn.LeakyReLU(0.2), nn.Dropout(0.1), nn.Linear(16, 1))
"""
QUICK = as_options({"latent.dim": 6, "training.tick_kimg": 0.04, "training.snapshot_kimg": 0.08})
MAIN = "from ganglion.cli.app import main; main()"


def ganglion_in(folder: Path, cache: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words], cwd=folder, env={**os.environ, "GANGLION_CACHE": str(cache)},
        capture_output=True, encoding="utf-8", timeout=120,
    )  # fmt: skip


def train(folder: Path, cache: Path, run: str, steps: int, *more: str) -> subprocess.CompletedProcess[str]:
    words = "train digits --networks nets.py --recipe dcgan --size 16 --batch 8 --precision 32 --device cpu --no-report"
    return ganglion_in(folder, cache, *words.split(), "--run", run, "--steps", str(steps), *QUICK, *more)


def weights(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in ganglion.Run(run).checkpoint("latest").glob("*.safetensors")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """A folder with nets.py and a finished run `whole`. Look, do not touch."""
    folder = tmp_path_factory.mktemp("networks")
    (folder / "nets.py").write_text(FILE)
    done = train(folder, cache, "whole", 12)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_run_goes_on_bit_for_bit_in_a_fresh_process(place: Path, cache: Path) -> None:
    assert train(place, cache, "parts", 5).returncode == 0
    assert train(place, cache, "parts", 12).returncode == 0
    assert weights(place / "parts") == weights(place / "whole")


def test_a_run_can_be_sampled_and_loaded_by_itself(place: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "whole", tmp_path / "elsewhere")
    done = ganglion_in(tmp_path, cache, "sample", "elsewhere", "--n", "4")
    assert done.returncode == 0, done.stderr
    assert ganglion.load(tmp_path / "elsewhere").sample(2).shape == (2, 16, 16, 1)
    page = ganglion.write_report(tmp_path / "elsewhere", cache=cache, quiet=True)
    assert "No pictures of latent space" not in page.read_text(encoding="utf-8")


def test_a_changed_file_is_refused(place: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "whole", tmp_path / "whole")
    (tmp_path / "nets.py").write_text(FILE + "\n# changed\n")
    done = train(tmp_path, cache, "whole", 20)
    assert done.returncode == 1
    assert "was trained on other networks: the file of networks changed since" in " ".join(done.stderr.split())
    assert (tmp_path / "whole/networks.py").read_text() == FILE
    words = "train digits --recipe dcgan --size 16 --run whole --steps 20"
    without = ganglion_in(tmp_path, cache, *words.split())
    assert "give them again with --networks FILE.py" in " ".join(without.stderr.split())


def test_no_file_but_the_runs_own_is_executed(place: Path, tmp_path: Path) -> None:
    run = tmp_path / "whole"
    shutil.copytree(place / "whole", run)
    mark = tmp_path / "executed"
    (run / "networks.py").write_text(f"open({str(mark)!r}, 'w')\n" + FILE)
    with pytest.raises(RunError, match="its hash differs from generator.digest"):
        ganglion.load(run)
    assert not mark.exists()
    (run / "networks.py").unlink()
    with pytest.raises(RunError, match="cannot be read: No such file"):
        ganglion.load(run)


def test_a_file_in_a_run_of_ours_is_not_executed(tiny_run: ganglion.Run, tmp_path: Path) -> None:
    shutil.copytree(tiny_run.path, tmp_path / "run")
    (tmp_path / "run/networks.py").write_text("raise SystemExit")
    assert ganglion.load(tmp_path / "run").sample(1).shape == (1, 16, 16, 1)


def test_check_and_dry_run_take_the_file(place: Path, cache: Path) -> None:
    dry = train(place, cache, "none", 5, "--dry-run")
    assert "family: custom" in dry.stdout
    assert not (place / "none").exists()
    words = "check digits --networks nets.py --recipe dcgan --size 20 --batch 8 --device cpu"
    told = ganglion_in(place, cache, *words.split())
    assert told.returncode == 1
    assert "G returned (8, 1, 16, 16), and images of this run are (8, 1, 20, 20)" in " ".join(told.stderr.split())
    words = words.replace("--size 20", "--size 16 --json")
    assert '"network.4"' in ganglion_in(place, cache, *words.split()).stdout
