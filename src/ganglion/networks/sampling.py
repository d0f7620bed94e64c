"""Images from a generator, deterministically: equal latents give equal pixels, whatever is made along with them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

__all__ = ["CHUNK", "generate", "generate_chunks"]

CHUNK = 16
"""Latents in one forward pass, always: convolution kernels are chosen by the batch's shape, and another kernel rounds
otherwise. A smaller last chunk is filled up. It also keeps memory flat."""


def generate(generator: nn.Module, z: Tensor) -> Tensor:
    """z (N, Z) to float images (N, C, H, W) in [-1, 1], in float32 and eval mode, on z's device."""
    return torch.cat(list(generate_chunks(generator, z)))


def generate_chunks(generator: nn.Module, z: Tensor) -> Iterator[Tensor]:
    """The same, at most 16 images at a time. Raises ValueError for a generator in train mode or no latents."""
    if generator.training:
        raise ValueError("samples are made in eval mode; call generator.eval() first")
    if z.ndim != 2 or len(z) == 0:
        raise ValueError(f"latents have the shape (N, Z) with N of at least 1; got {tuple(z.shape)}")
    for chunk in torch.split(z, CHUNK):
        padding = chunk[-1:].expand(CHUNK - len(chunk), -1)
        with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
            yield generator(torch.cat([chunk, padding]))[: len(chunk)]
