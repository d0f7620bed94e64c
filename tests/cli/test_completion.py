"""What the Tab key completes, as the functions find it and as bash asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganglion.cli import completion
from ganglion.data.find import NAMES
from ganglion.recipe.resolve import preset_names


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with runs in it."""
    for run in ("runs/digits-fast-16", "runs/photos/first", "runs/photos/second", "alone", ".hidden/run"):
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "recipe.yaml").write_text("name: fast\n")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "digital.zip").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def in_bash(*words: str) -> list[str]:
    """What `ganglion WORDS` is completed to in bash."""
    environment = {
        **os.environ, "_GANGLION_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["ganglion", *words]),
        "COMP_CWORD": str(len(words)),
    }  # fmt: skip
    command = [sys.executable, "-c", "import sys; sys.argv = ['ganglion']; from ganglion.cli.app import app; app()"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


def test_recipes_are_completed_by_their_names():
    assert completion.recipes("") == preset_names()
    assert completion.recipes("wgan") == ["wgan", "wgan-gp"]
    assert completion.recipes("own/recipe.y") == []


def test_runs_are_found_at_and_below_what_is_typed(here):
    assert completion.runs("") == ["alone", "runs/digits-fast-16", "runs/photos/first", "runs/photos/second"]
    assert completion.runs("runs/") == ["runs/digits-fast-16", "runs/photos/first", "runs/photos/second"]
    assert completion.runs("runs/ph") == completion.runs("runs/photos/") == ["runs/photos/first", "runs/photos/second"]
    assert completion.runs(f"{here}/al") == [f"{here}/alone"]
    assert completion.runs("nowhere/") == completion.runs("pictures/x") == []


def test_data_sets_are_completed_beside_files_of_the_same_beginning(here):
    assert completion.sources("dig") == ["digital.zip", "digits"]
    assert completion.sources("") == completion.sources("pic") == []  # the shell's files
    assert [name for name in NAMES if name not in completion.sources(name[:2])] == []


def test_trackers_are_completed_one_after_the_other():
    assert completion.trackers("") == ["wandb", "mlflow", "trackio"]
    assert completion.trackers("mlflow,") == ["mlflow,wandb", "mlflow,trackio"]
    assert completion.trackers("wandb,tr") == ["wandb,trackio"]


def test_bash_is_given_names_of_recipes_runs_data_sets_and_trackers(here):
    assert in_bash("train", "digits", "--recipe", "dra") == ["dragan"]
    assert in_bash("sample", "runs/di") == ["runs/digits-fast-16"]
    assert in_bash("train", "mni") == ["mnist"]
    assert in_bash("train", "digits", "--log", "mlflow,w") == ["mlflow,wandb"]


def test_completing_loads_neither_torch_nor_a_tracker(here):
    code = (
        "import sys; from ganglion.cli import app, completion; completion.recipes(''); completion.sources('d'); "
        "completion.runs(''); completion.trackers(''); print({'torch', 'wandb', 'mlflow', 'trackio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
