"""What the tests of Explore and Score share: runs of several kinds, and models of them in memory."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganglion
from ganglion.studio.exploring import Explorer
from ganglion.studio.loaded import Loaded, Models
from tiny import TINY


@pytest.fixture(scope="session")
def models() -> Models:
    return Models(device="cpu")


@pytest.fixture(scope="session")
def loaded(models: Models, tiny_run: ganglion.Run) -> Loaded:
    """A tiny run with a normal prior and no classes."""
    return models.open(tiny_run.path)


@pytest.fixture
def explorer(models: Models, cache: Path) -> Explorer:
    return Explorer(models, cache)


@pytest.fixture
def own_run(tiny_run: ganglion.Run, tmp_path: Path) -> Path:
    """A copy of the tiny run, to be written into."""
    return Path(shutil.copytree(tiny_run.path, tmp_path / "own"))


LOUD = {"init.scheme": "normal", "init.std": 0.3}
"""First weights with which z, classes and attributes change the picture visibly."""


def trained(folder: Path, source: str | Path, cache: Path, **settings: object) -> Path:
    """Six steps, in a second."""
    size = settings.pop("size", 16)
    ganglion.train(
        str(source), recipe="dcgan", size=size, steps=6, run=folder, precision="32", device="cpu", cache=cache,
        set={**TINY, **LOUD, **settings}, quiet=True, at_end=lambda run: None,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def uniform_classes(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Digits with classes, under a uniform prior."""
    settings = {"data.conditional": True, "latent.prior": "uniform"}
    return trained(tmp_path_factory.mktemp("runs") / "classes", "digits", cache, **settings)


@pytest.fixture(scope="session")
def attribute_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty images with alpha, 24x16, and a labels file: yes or no, a number, and classes of which one is markup."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "smiling", "age", "kind"])
        for i in range(40):
            pixels = random.integers(0, 255, (24, 16, 4), np.uint8)
            pixels[..., 3] = np.where(np.arange(24)[:, None] % 24 < 4, 0, 255)
            Image.fromarray(pixels).save(folder / f"{i}.png")
            rows.writerow([f"{i}.png", i % 2, 20 + 3 * i % 17, ["cat", "<b>dog</b>", "cow"][i % 3]])
    return folder


@pytest.fixture(scope="session")
def attributes_run(tmp_path_factory: pytest.TempPathFactory, attribute_images: Path, cache: Path) -> Path:
    """Those images, on the sphere, conditioned on their attributes."""
    settings = {"data.conditional": True, "latent.prior": "sphere", "size": "24x16"}
    return trained(tmp_path_factory.mktemp("runs") / "attributes", attribute_images, cache, **settings)
