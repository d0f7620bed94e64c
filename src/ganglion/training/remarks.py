"""What can be said of images, networks and first weights before training: a remark for each thing that was looked at.

N images, C channels, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.data.pixels import to_float
from ganglion.data.store import Store
from ganglion.networks.build import Cost
from ganglion.streams import Purpose, stream
from ganglion.vitals.gradients import LayerSignal
from ganglion.vitals.sample_stats import mean_distance, nearest_distances, saturation, small

__all__ = ["Remark", "of_balance", "of_first_weights", "of_images"]

LOOKED_AT = 1000  # images

FEW, VERY_FEW = 300, 50
REPEATED = 0.02
FLAT = 0.25  # of the range of 256 levels: pictures that use less are probably not scaled
FAINT, FULL = 0.02, 0.5  # G's first images: deviation of their pixels below which, share of saturated ones above which
UNEVEN = 1e3  # ratio of the gradients of the first and the last layer, each over its weight
LOPSIDED = 20.0  # ratio of the networks' operations


@dataclass(frozen=True)
class Remark:
    """One thing that was looked at."""

    level: Literal["fine", "watch", "failing"]
    topic: str
    text: str


def of_images(store: Store) -> list[Remark]:
    """Too few, repeated, of mixed kinds, not scaled."""
    n = len(store.images)
    facts = store.facts
    level: Literal["fine", "watch", "failing"] = "failing" if n < VERY_FEW else "watch" if n < FEW else "fine"
    advice = {"failing": ": a GAN learns them by heart; take more", "watch": ": augment them (recipe small-data)"}
    found = [Remark(level, "number", f"{n:,} images{advice.get(level, '')}")]
    chosen = np.sort(stream(0, Purpose.EXAMINED).permutation(n)[:LOOKED_AT])
    pixels = np.array(store.images[chosen])
    repeated = _repeated(pixels)
    copies = facts.get("duplicates", 0) / max(1, n)
    if max(repeated, copies) > REPEATED:
        text = (
            f"{max(repeated, copies):.0%} of the images are there twice: G will learn to repeat them; take copies out"
        )
        found.append(Remark("watch", "copies", text))
    low, high = int(pixels.min()), int(pixels.max())
    if high - low < FLAT * 255:
        text = f"all pixels lie in {low}..{high} of 0..255: were they saved without scaling?"
        found.append(Remark("failing", "range", text))
    else:
        found.append(Remark("fine", "range", f"pixels span {low}..{high}"))
    found += _of_kinds(facts, n)
    return found


def _of_kinds(facts: dict[str, Any], n: int) -> list[Remark]:
    found = []
    gray = facts.get("gray", 0)
    if 0.02 * n < gray < 0.98 * n:
        found.append(Remark("watch", "kinds", f"{gray:,} gray and {n - gray:,} colour images are mixed"))
    small_side, large_side = (min(facts.get(key, (0, 0))) for key in ("smallest_size", "largest_size"))
    if small_side and large_side > 8 * small_side:
        text = f"sizes from {small_side} to {large_side} pixels are mixed: enlarged ones look blurred beside the others"
        found.append(Remark("watch", "sizes", text))
    if facts.get("bad"):
        found.append(Remark("watch", "files", f"{len(facts['bad'])} files are skipped; ganglion data lists them"))
    return found


def of_balance(cost_g: Cost, cost_d: Cost) -> list[Remark]:
    """Whether one player is far larger than the other."""
    text = f"G {cost_g}; D {cost_d}"
    ratio = max(cost_g.flops, cost_d.flops) / max(1, min(cost_g.flops, cost_d.flops))
    if ratio <= LOPSIDED:
        return [Remark("fine", "balance", text)]
    larger = "G" if cost_g.flops > cost_d.flops else "D"
    unequal = f"{text}: {larger} works {ratio:,.0f} times as much an image; bring the widths together"
    return [Remark("watch", "balance", unequal)]


def of_first_weights(layers_g: list[LayerSignal], layers_d: list[LayerSignal], first: Tensor) -> list[Remark]:
    """What the first weights make of a signal; `first` are G's first images."""
    spread, full = float(first.std()), float(saturation(first))
    found = []
    if full > FULL:
        text = f"{full:.0%} of the pixels of G's first images are black or white, where tanh passes no gradient"
        found.append(Remark("failing", "first weights", f"{text}: smaller weights (init.scheme normal, init.std 0.02)"))
    elif spread < FAINT:
        text = (
            f"G's first images are nearly of one gray (deviation {spread:.2g}): signals fade on the way; larger weights"
        )
        found.append(Remark("watch", "first weights", f"{text}, or a norm (init.scheme kaiming, generator.norm batch)"))
    for name, layers in (("G", layers_g), ("D", layers_d)):
        slopes = [layer.gradient / max(layer.weight, 1e-12) for layer in layers]
        ratio = max(slopes) / max(min(slopes), 1e-30) if slopes else 1.0
        text = f"gradients over weights of {name}'s layers are within a factor of {ratio:,.0f}"
        uneven = f"{text}: some layers would move far and others not at all"
        found.append(Remark("watch", "gradients", uneven) if ratio > UNEVEN else Remark("fine", "gradients", text))
    return found


def _repeated(pixels: NDArray[np.uint8]) -> float:
    """Share of images that have another one all but equal to them."""
    if len(pixels) < 3:
        return 0.0
    rows = small(to_float(torch.from_numpy(pixels)))
    return float((nearest_distances(rows) < 0.02 * mean_distance(rows)).float().mean())
