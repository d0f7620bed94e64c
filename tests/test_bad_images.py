"""Folders that cannot be trained on: one sentence and exit code 1 from train and check; data shows them and says so."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ganglion.cli.app import main
from tiny import TINY, as_options

Pixels = NDArray[np.uint8]


def noise(seed: int, height: int = 24, width: int = 20, channels: int = 3) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def clear(seed: int) -> Pixels:
    return noise(seed, channels=4) * np.array([1, 1, 1, 0], np.uint8)


FOLDERS: dict[str, tuple[Callable[[int], Pixels], int, str]] = {
    "one": (noise, 1, "has 1 image, and a training takes at least 16 different ones"),
    "two": (noise, 2, "has 2 images, and a training takes at least 16 different ones"),
    "fifteen": (noise, 15, "has 15 images, and a training takes at least 16 different ones"),
    "few-and-copies": (lambda seed: noise(seed % 5), 40, "has 40 images of which 35 are copies"),
    "equal": (lambda seed: noise(0), 30, "all 30 images are equal when made to fit"),
    "one-colour": (lambda seed: np.full((24, 20, 3), 90, np.uint8), 30, "every image is of one colour all over"),
    "a-colour-each": (lambda seed: np.full((24, 20, 3), seed, np.uint8), 30, "every image is of one colour all over"),
    "transparent": (clear, 30, "every image is transparent all over"),
    "1x1": (lambda seed: noise(seed, 1, 1), 30, "every image is of one colour all over"),
}


def folder_of(root: Path, name: str) -> Path:
    page, count, _ = FOLDERS[name]
    for seed in range(count):
        Image.fromarray(page(seed)).save(root / f"{seed:03d}.png")
    return root


def called(monkeypatch: pytest.MonkeyPatch, cache: Path, *words: str) -> int:
    """Exit code of the command line."""
    monkeypatch.setattr(sys, "argv", ["ganglion", *words])
    monkeypatch.setenv("GANGLION_CACHE", str(cache))
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize("name", FOLDERS)
def test_it_is_refused_in_one_sentence(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, command: str
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    folder_of(tmp_path / "in", name)
    code = called(monkeypatch, cache, command, "in", "--device", "cpu", *as_options(TINY))
    said = " ".join(capsys.readouterr().err.split())
    assert code == 1
    assert FOLDERS[name][2] in said
    assert "Traceback" not in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", FOLDERS)
def test_data_shows_it_and_says_that_a_training_would_refuse_it(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    folder_of(tmp_path / "in", name)
    assert called(monkeypatch, cache, "data", "in") == 0
    shown = capsys.readouterr().out
    assert "Training refuses these images: " in shown
    assert FOLDERS[name][2] in shown
    assert (tmp_path / "ganglion-preview.png").is_file()


@pytest.mark.parametrize("command", ["train", "check", "data"])
def test_files_that_are_all_broken_are_refused(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    for i in range(20):
        (tmp_path / f"{i}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    assert called(monkeypatch, cache, command, str(tmp_path)) == 1
    assert "20 files, none of them usable" in capsys.readouterr().err


@pytest.mark.parametrize("size", [(1, 500), (500, 1)])
def test_lines_of_pixels_are_made_to_fit_and_trained_on(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for seed in range(20):
        Image.fromarray(noise(seed, *size)).save(tmp_path / "in" / f"{seed}.png")
    assert called(monkeypatch, cache, "data", "in") == 0
    words = ("train", "in", "--steps", "2", "--device", "cpu", "--no-report", "--run", "run")
    assert called(monkeypatch, cache, *words, *as_options(TINY)) == 0
    assert (tmp_path / "run" / "recipe.yaml").is_file()


def test_what_is_written_among_the_images_changes_none_of_them_and_the_run_resumes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in range(20):
        Image.fromarray(noise(seed)).save(tmp_path / f"{seed}.png")
    train = ("train", ".", "--steps", "1", "--device", "cpu", "--no-report", *as_options(TINY))
    for command in (("data", "."), train, train, ("data", ".")):
        assert called(monkeypatch, cache, *command) == 0, capsys.readouterr().err
    assert list(tmp_path.glob("runs/*/samples/fixed/*.png"))
    said = capsys.readouterr().out
    assert said.count("20 usable images") == 2
    assert said.count("Skipped files: none") == 2
