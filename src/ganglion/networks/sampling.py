"""Latents and labels from random streams, and images of them: equal latents give equal pixels, in batches of any size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganglion.recipe.attributes import vector_names
from ganglion.recipe.schema import Latent, Prior, Recipe

__all__ = [
    "CHUNK",
    "DEVICE_PRIORS",
    "PRIORS",
    "blank_labels",
    "draw_labels",
    "draw_latents",
    "draw_latents_on",
    "generate",
    "generate_chunks",
]


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


DEVICE_PRIORS: dict[Prior, Callable[[int, int, torch.Generator, torch.device], Tensor]] = {
    "normal": lambda n, dim, random, device: torch.randn(n, dim, generator=random, device=device),
    "uniform": lambda n, dim, random, device: torch.rand(n, dim, generator=random, device=device) * 2 - 1,
    "sphere": lambda n, dim, random, device: _on_sphere(torch.randn(n, dim, generator=random, device=device)),
}
"""The same distributions, drawn by a device."""


def _on_sphere(z: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(z, dim=1, keepdim=True)
    return z * (math.sqrt(z.shape[1]) / length)


def draw_latents_on(device: torch.device, settings: Latent, n: int, random: torch.Generator) -> Tensor:
    """n latents as float32 (n, Z), drawn on `device`, of which `random` is a generator; other numbers than NumPy's."""
    return DEVICE_PRIORS[settings.prior](n, settings.dim, random, device)


def draw_labels(counts: Sequence[int] | NDArray[np.float32], n: int, random: np.random.Generator) -> Tensor | None:
    """n labels on the CPU, as frequent as among the training images; None without classes.

    `counts` of training images in each class: int64 (n,). Condition vectors of the training images (M, K): n of them, float32
    (n, K), so that they occur together as in training. Generated images compare with the data only where their classes are as
    frequent. The first k of n as above.
    """
    if isinstance(counts, np.ndarray):
        return torch.from_numpy(counts[(random.random(n) * len(counts)).astype(np.int64)])
    if not counts:
        return None
    ends = np.cumsum(np.asarray(counts, np.int64))
    return torch.from_numpy(np.searchsorted(ends, random.random(n) * ends[-1], side="right").astype(np.int64))


def blank_labels(recipe: Recipe, n: int, device: torch.device | str | None = None) -> Tensor | None:
    """n labels of the form that the networks get, all of the first class or without values; None without classes."""
    if not recipe.data.conditional:
        return None
    if recipe.data.conditions:
        return torch.zeros(n, len(vector_names(recipe.data.conditions)), device=device)
    return torch.zeros(n, dtype=torch.int64, device=device)


CHUNK = 16
"""Latents in one forward pass, always: convolution kernels are chosen by the batch's shape, and another kernel rounds
otherwise. A smaller last chunk is filled up. It also keeps memory flat."""


def generate(generator: nn.Module, z: Tensor, labels: Tensor | None = None) -> Tensor:
    """z (N, Z), and labels (N,) or (N, K) for a conditional generator, to float images (N, C, H, W) in [-1, 1].

    In float32 and eval mode, on z's device.
    """
    return torch.cat(list(generate_chunks(generator, z, labels)))


def generate_chunks(generator: nn.Module, z: Tensor, labels: Tensor | None = None) -> Iterator[Tensor]:
    """The same, at most 16 images at a time. Raises ValueError for a generator in train mode or no latents."""
    if generator.training:
        raise ValueError("samples are made in eval mode; call generator.eval() first")
    if z.ndim != 2 or len(z) == 0:
        raise ValueError(f"latents have the shape (N, Z) with N of at least 1; got {tuple(z.shape)}")
    given = [] if labels is None else [labels]
    for first in range(0, len(z), CHUNK):
        chunk = slice(first, first + CHUNK)
        with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
            images = generator(_filled(z[chunk]), *(_filled(rows[chunk]) for rows in given))
        yield images[: len(z[chunk])]


def _filled(rows: Tensor) -> Tensor:
    """A chunk of 16 rows, the last of them repeated where there are fewer."""
    return torch.cat([rows, rows[-1:].expand(CHUNK - len(rows), *rows.shape[1:])])
