"""The commands, for a run on an array of 13 channels that a Python program gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganglion
from tiny import TINY

SHOWN = (12, 0, 5)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Four steps. Look, do not touch."""
    images = np.random.default_rng(4).integers(0, 256, (40, 16, 16, 13), np.uint8)
    folder = tmp_path_factory.mktemp("channels") / "run"
    ganglion.train(
        images, recipe="dcgan", steps=4, run=folder, precision="32", device="cpu", cache=cache, quiet=True,
        set={**TINY, "data.shown_channels": list(SHOWN)}, at_end=lambda run: None,
    )  # fmt: skip
    return folder


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def test_samples_are_whole_in_a_numpy_file_and_shown_in_a_picture(command, run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from ganglion.pictures.sheets import sheet

    for name in ("x.npy", "x.png"):
        assert command("sample", run, "--n", "4", "--out", tmp_path / name).code == 0
    images = np.load(tmp_path / "x.npy")
    assert images.shape == (4, 16, 16, 13)
    assert np.array_equal(picture(tmp_path / "x.png"), sheet(images[..., SHOWN]))


@pytest.mark.parametrize(
    "words", [("interpolate", "--seeds", "0,1", "--frames", "3"), ("walk", "--dims", "1,2", "--steps", "3")]
)
@pytest.mark.parametrize("ending", ["png", "gif"])
def test_ways_through_latent_space_are_shown(command, run, tmp_path, words, ending) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / f"x.{ending}"
    done = command(words[0], run, *words[1:], "--out", out)
    assert (done.code, out.is_file()) == (0, True), done.said


def test_directions_are_shown(command, run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert command("directions", run, "--out", tmp_path / "x.safetensors").code == 0
    assert picture(tmp_path / "x.png").ndim == 3


def test_a_picture_of_three_channels_is_refused_by_a_run_of_thirteen(refused, run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    said = refused("project", run, tmp_path / "a.png")
    assert "a.png cannot be made an image of the run, which has 13 channels" in said


def test_train_cannot_go_on_with_it(refused, run) -> None:  # type: ignore[no-untyped-def]
    said = refused("train", "--run", run, "--steps", "9")
    assert "was trained on array (40, 16, 16, 13) uint8, given in Python, which no command line can name" in said
    assert "call ganglion.train with the same images" in said
