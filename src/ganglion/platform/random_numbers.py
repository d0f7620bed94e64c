"""Random numbers that are drawn on the device for the images of a batch, of which a process may hold a share only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

__all__ = ["ShareGenerator", "drawn", "noise_like"]


class ShareGenerator(torch.Generator):
    """A generator for process `rank` of `count`, which holds every `count`-th image of a batch.

    What `drawn` and `noise_like` return with it are the numbers that a single process would draw for these images, if all
    processes begin with the same seed.
    """

    rank: int
    count: int

    def __new__(cls, device: torch.device, rank: int, count: int) -> Self:
        new = super().__new__(cls, device)  # type: ignore[call-arg]
        new.rank, new.count = rank, count
        return new


def drawn(draw: Callable[[int], Tensor], n: int, random: torch.Generator) -> Tensor:
    """`draw(n)`, the numbers (n, ...) of n images; with a ShareGenerator its own of those that it draws for the whole batch."""
    if isinstance(random, ShareGenerator):
        return draw(n * random.count)[random.rank :: random.count]
    return draw(n)


def noise_like(images: Tensor, random: torch.Generator) -> Tensor:
    """N(0, 1) for each value of `images` (N, C, H, W), in their memory layout, on which the order of the numbers depends."""
    channels_last = not images.is_contiguous() and images.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if channels_last else torch.contiguous_format

    def draw(n: int) -> Tensor:
        empty = torch.empty((n, *images.shape[1:]), dtype=images.dtype, device=images.device, memory_format=layout)
        return empty.normal_(generator=random)

    return drawn(draw, len(images), random)
