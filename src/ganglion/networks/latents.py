"""Latents z, drawn row by row: the first k of n are the same k whatever n is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.recipe.schema import Latent, Prior

__all__ = ["PRIORS", "draw_labels", "draw_latents"]


def normal(n: int, dim: int, random: np.random.Generator) -> NDArray[np.float32]:
    """N(0, 1)."""
    return random.standard_normal((n, dim), np.float32)


def uniform(n: int, dim: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Uniform on [-1, 1)."""
    return random.random((n, dim), np.float32) * 2 - 1


def sphere(n: int, dim: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Uniform on the sphere of radius sqrt(dim), so that a coordinate has variance 1 as under the normal prior."""
    z = random.standard_normal((n, dim), np.float32)
    z *= np.sqrt(np.float32(dim)) / np.linalg.norm(z, axis=1, keepdims=True)
    return z


PRIORS: dict[Prior, Callable[[int, int, np.random.Generator], NDArray[np.float32]]] = {
    "normal": normal,
    "uniform": uniform,
    "sphere": sphere,
}


def draw_latents(settings: Latent, n: int, random: np.random.Generator) -> Tensor:
    """n latents as float32 (n, Z) on the CPU, so that a seed means the same on every device."""
    return torch.from_numpy(PRIORS[settings.prior](n, settings.dim, random))


def draw_labels(counts: Sequence[int], n: int, random: np.random.Generator) -> Tensor | None:
    """n labels as int64 (n,) on the CPU, each class as likely as its count of training images says; None without classes.

    Generated images compare with the data only where their classes are as frequent. The first k of n as above.
    """
    if not counts:
        return None
    ends = np.cumsum(np.asarray(counts, np.int64))
    return torch.from_numpy(np.searchsorted(ends, random.random(n) * ends[-1], side="right").astype(np.int64))
