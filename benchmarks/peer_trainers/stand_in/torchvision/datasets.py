"""A folder of classes as a data set of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from torch.utils.data import Dataset

__all__ = ["ImageFolder"]


class ImageFolder(Dataset[tuple[Any, int]]):
    """RGB images of ROOT/CLASS/FILE, decoded when asked for, with the number of their class."""

    def __init__(self, root: str, transform: Callable[[Any], Any]) -> None:
        self.classes = sorted(folder.name for folder in Path(root).iterdir() if folder.is_dir())
        self.samples = [
            (str(file), label) for label, name in enumerate(self.classes) for file in sorted(Path(root, name).iterdir())
        ]
        self.transform = transform

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        file, label = self.samples[index]
        with Image.open(file) as image:
            return self.transform(image.convert("RGB")), label
