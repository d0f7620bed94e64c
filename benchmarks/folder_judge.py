"""A folder's images as a judge of samples: distances under SqueezeNet's features (`ganglion[eye]`), and references for them.

Neither training, nor records, nor the choice of a checkpoint uses these features. Used by benchmarks/folders.py.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from energy_distance import energy_distance, mean_distance
from ganglion.data.pixels import to_float
from ganglion.data.prepare import cache_folder
from ganglion.metrics.extractors import ExtractorContext, find_extractor
from ganglion.metrics.features import array_set
from ganglion.metrics.neighbours import copy_scores

__all__ = ["SAMPLES", "FolderJudge", "blurred", "repeated", "rgb"]

SAMPLES, COMPONENTS, CHUNK = 500, 100, 100
Pixels = NDArray[np.uint8]


class FolderJudge:
    """Distances to a folder's images, uint8 (N, H, W, C), as shares of that of a Gaussian of their pixels."""

    def __init__(self, reals: Pixels) -> None:
        need = ExtractorContext(array_set("images", rgb(reals)), cache_folder(), torch.device("cpu"))
        self._extractor, _ = find_extractor("squeezenet", need)
        first = self._features(reals)
        self._centre, self._scale = first.mean(0), float((first - first.mean(0)).square().sum(1).mean().sqrt())
        self.reals = self._scaled(first)
        self.gaussian = energy_distance(self.features(gaussian_of(reals)), self.reals)

    def features(self, images: Pixels) -> torch.Tensor:
        return self._scaled(self._features(images))

    def distance(self, images: Pixels) -> float:
        return energy_distance(self.features(images), self.reals) / self.gaussian

    def floor(self) -> float:
        """Between the two halves."""
        shuffled = self.reals[torch.from_numpy(np.random.default_rng(0).permutation(len(self.reals)))]
        return energy_distance(shuffled[::2], shuffled[1::2]) / self.gaussian

    def diversity(self, images: Pixels) -> float:
        """Mean distance between images, as a share of the reals'."""
        return mean_distance(self.features(images)) / mean_distance(self.reals)

    def copies(self, images: Pixels) -> float:
        """Share of the images that are nearer to a real one than 99 % of the reals are to another one."""
        found = copy_scores(self.reals.numpy(), self.features(images).numpy(), None, np.random.default_rng(0))
        return found.near

    def _features(self, images: Pixels) -> torch.Tensor:
        parts = (to_float(torch.from_numpy(rgb(images[i : i + CHUNK]))) for i in range(0, len(images), CHUNK))
        return torch.cat([self._extractor.embed(part.contiguous()).features for part in parts]).double().sqrt()

    def _scaled(self, features: torch.Tensor) -> torch.Tensor:
        return (features - self._centre) / self._scale


def gaussian_of(reals: Pixels) -> Pixels:
    """Samples of a Gaussian with the mean and the leading principal components of the pixels."""
    rows = reals.reshape(len(reals), -1).astype(np.float32)
    mean = rows.mean(0)
    _, sizes, components = np.linalg.svd(rows - mean, full_matrices=False)
    count = min(COMPONENTS, len(sizes) - 1)
    weights = np.random.default_rng(0).standard_normal((SAMPLES, count)) * sizes[:count] / np.sqrt(len(rows) - 1)
    return (mean + weights @ components[:count]).clip(0, 255).astype(np.uint8).reshape(-1, *reals.shape[1:])


def repeated(reals: Pixels) -> Pixels:
    """Ten of them, as often as makes SAMPLES."""
    chosen = np.random.default_rng(0).permutation(len(reals))
    return reals[np.repeat(chosen[:10], SAMPLES // 10)]


def blurred(reals: Pixels) -> Pixels:
    """By a pixel (Gaussian)."""
    images = (Image.fromarray(image.squeeze()).filter(ImageFilter.GaussianBlur(1)) for image in reals)
    return np.stack([np.atleast_3d(np.asarray(image)) for image in images])


def rgb(images: Pixels) -> Pixels:
    """Gray as it is; RGBA, straight, over white."""
    if images.shape[3] != 4:
        return images
    alpha = images[..., 3:].astype(np.float32) / 255
    return (images[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
