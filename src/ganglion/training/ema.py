"""The exponential moving average of G's weights, from the first step on. Yazici et al. 2018, arXiv 1806.04498."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ganglion.recipe.schema import Ema

__all__ = ["decay", "ema_of", "update_ema"]


def ema_of(generator: nn.Module) -> nn.Module:
    """A frozen copy of G in eval mode, never put in train mode: drawing samples cannot move its statistics."""
    return copy.deepcopy(generator).eval().requires_grad_(False)


def decay(settings: Ema, images: int, batch: int) -> float:
    """Share of the average that survives a step of `batch` images: 0.5 ** (batch / half-life), Karras et al. 2020.

    The half-life is at most `rampup` times the images seen, so that the first weights are soon forgotten.
    """
    halflife = settings.halflife_kimg * 1000
    if settings.rampup is not None:
        halflife = min(halflife, images * settings.rampup)
    return float(0.5 ** (batch / halflife)) if halflife > 0 else 0.0


@torch.no_grad()
def update_ema(ema: nn.Module, generator: nn.Module, kept: float) -> None:
    """ema = kept * ema + (1 - kept) * G, for weights and batch-norm statistics alike; counters are copied."""
    pairs = list(zip(_tensors(ema), _tensors(generator), strict=True))
    averaged = [pair for pair in pairs if pair[0].is_floating_point()]
    torch._foreach_lerp_(
        [e for e, _ in averaged], [g for _, g in averaged], 1 - kept
    )  # one fused pass over all weights
    for e, g in pairs:
        if not e.is_floating_point():
            e.copy_(g)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
