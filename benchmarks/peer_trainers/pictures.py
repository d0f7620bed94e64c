"""MNIST and the flowers as folders ROOT/CLASS/FILE, which every trainer reads."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["flower_files", "mnist_files"]


def mnist_files(data_dir: Path, folder: Path) -> Path:
    """A PNG of 28x28 for each training image of MNIST's IDX files, under its digit."""
    if not folder.is_dir():
        with gzip.open(data_dir / "train-images-idx3-ubyte.gz") as file:
            images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
        with gzip.open(data_dir / "train-labels-idx1-ubyte.gz") as file:
            labels = np.frombuffer(file.read(), np.uint8, offset=8)
        building = folder.with_name(f".{folder.name}")
        shutil.rmtree(building, ignore_errors=True)
        for digit in np.unique(labels):
            (building / str(digit)).mkdir(parents=True)
        for number, (pixels, digit) in enumerate(zip(images, labels, strict=True)):
            Image.fromarray(pixels).save(building / str(digit) / f"{number:05d}.png")
        building.rename(folder)
    return folder


def flower_files(archive: Path, folder: Path) -> Path:
    """The JPEG files of a zip with a folder for each class."""
    if not folder.is_dir():
        building = folder.with_name(f".{folder.name}")
        shutil.rmtree(building, ignore_errors=True)
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(building)
        inside = list(building.iterdir())
        (inside[0] if len(inside) == 1 else building).rename(folder)
    return folder
