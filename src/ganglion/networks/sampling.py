"""Images from a generator, deterministically: equal latents give equal pixels, whatever is made along with them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

__all__ = ["CHUNK", "generate", "generate_chunks"]

CHUNK = 16
"""Latents in one forward pass, always: convolution kernels are chosen by the batch's shape, and another kernel rounds
otherwise. A smaller last chunk is filled up. It also keeps memory flat."""


def generate(generator: nn.Module, z: Tensor, labels: Tensor | None = None) -> Tensor:
    """z (N, Z), and labels (N,) for a conditional generator, to float images (N, C, H, W) in [-1, 1].

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
