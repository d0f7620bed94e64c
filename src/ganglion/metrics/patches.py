"""Features of images learned from patches of the real images themselves: how like each of some patches an image is, and where.

One layer after Coates, Ng and Lee 2011, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning" (AISTATS):
patches are normalised in contrast and whitened, compared with a dictionary, and pooled; the dictionary is a random choice of
patches, which Coates and Ng 2011 ("The Importance of Encoding Versus Training", ICML) found nearly as good as a trained one.
N images, C channels, H height, W width, L patches of an image, K patches of the dictionary, A = C * SIDE * SIDE.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, unfold

from ganglion.streams import Purpose, stream

__all__ = ["PatchFeatures", "shrunk"]

SIDE = 5  # pixels of a patch
DICTIONARY = 64
AREAS = 2  # by so many, of which means are features
MOST_PATCHES = 40_000  # by which patches are whitened
LEAST_VARIANCE = 0.01  # of a patch's pixels on [-1, 1], added so that noise in flat places is not blown up
LEAST_EIGENVALUE = 0.1  # of the mean one, added to each: rare directions are mostly noise


class PatchFeatures:
    """Features (N, K * AREAS**2) of images, after a dictionary of patches of reals."""

    def __init__(self, reals: Tensor, short_side: int) -> None:
        """`reals`: (N, C, H, W) in [-1, 1]. All images are shrunk until their short side is below twice `short_side`."""
        self.short_side = short_side
        patches = _some_patches(shrunk(reals, short_side))
        self._mean = torch.from_numpy(patches.mean(0)).float()  # (A,)
        self._whiten = torch.from_numpy(_whitening(patches)).float()  # (A, A)
        self._dictionary = (torch.from_numpy(patches[:DICTIONARY]).float() - self._mean) @ self._whiten  # (K, A)

    def __call__(self, images: Tensor) -> NDArray[np.float32]:
        images = shrunk(images, self.short_side)
        mean, whiten, dictionary = (one.to(images.device) for one in (self._mean, self._whiten, self._dictionary))
        white = (_patches(images) - mean) @ whiten  # (N * L, A)
        apart = torch.cdist(white, dictionary)  # (N * L, K)
        like = (apart.mean(1, keepdim=True) - apart).clamp_min(0)  # the triangle of section 3.2.2
        height, width = (side - SIDE + 1 for side in images.shape[2:])
        maps = like.view(len(images), height, width, -1).permute(0, 3, 1, 2)
        return adaptive_avg_pool2d(maps, AREAS).flatten(1).cpu().numpy()


def shrunk(images: Tensor, short_side: int) -> Tensor:
    """Images (N, C, H, W), halved while their short side is at least twice `short_side`."""
    while min(images.shape[2:]) >= 2 * short_side:
        images = avg_pool2d(images, 2)
    return images.float()


def _patches(images: Tensor) -> Tensor:
    """All patches (N * L, A), each with mean 0 and about variance 1."""
    rows = unfold(images, SIDE).transpose(1, 2).flatten(0, 1)
    rows = rows - rows.mean(1, keepdim=True)
    return rows / (rows.square().mean(1, keepdim=True) + LEAST_VARIANCE).sqrt()


def _some_patches(images: Tensor) -> NDArray[np.float64]:
    """About MOST_PATCHES of the images, as many of each, in random order; more than once where there are fewer than K."""
    random, each = stream(0, Purpose.EXTRACTOR, 2), -(-MOST_PATCHES // len(images))
    rows = (_patches(image).cpu().double().numpy() for image in torch.split(images, 1))
    chosen = np.concatenate([one[random.permutation(len(one))[:each]] for one in rows])
    return chosen[np.resize(random.permutation(len(chosen)), max(len(chosen), DICTIONARY))]


def _whitening(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix (A, A) after which rows (L, A) are uncorrelated (ZCA)."""
    values, vectors = np.linalg.eigh(np.cov(rows, rowvar=False))
    least = LEAST_EIGENVALUE * values.mean() or 1.0
    return np.asarray((vectors / np.sqrt(values.clip(0) + least)) @ vectors.T)
