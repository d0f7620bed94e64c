"""What a trainer is given, and how its images come in and go out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["OURS", "Job", "as_uint8", "image_folder"]

OURS = ("auto", "fast", "dcgan")
"""Recipes of `ganglion train`; all other trainers are of other packages."""


@dataclass(frozen=True)
class Job:
    """images: a folder ROOT/CLASS/FILE. work: an empty folder for what the trainer writes."""

    images: Path
    size: int
    channels: int
    seed: int
    work: Path


def image_folder(job: Job, channels: int | None = None) -> Any:
    """The images as a torchvision ImageFolder in [-1, 1], of the stand-in: shorter side to size, centre cropped."""
    from torchvision import datasets, transforms

    channels = channels or job.channels
    gray = [transforms.Grayscale()] if channels == 1 else []
    spread = (0.5,) * channels
    return datasets.ImageFolder(
        str(job.images),
        transforms.Compose([
            *gray, transforms.Resize(job.size), transforms.CenterCrop(job.size), transforms.ToTensor(),
            transforms.Normalize(spread, spread),
        ]),
    )  # fmt: skip


def as_uint8(images: Tensor, low: float) -> NDArray[np.uint8]:
    """Float (N, C, H, W) in [low, 1] to uint8 (N, H, W, C)."""
    pixels = (images.detach().float() - low) * (255 / (1 - low))
    return pixels.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
