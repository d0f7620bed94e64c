"""Checks of images, values of the recipe, networks and initial weights before training: one remark for each.

N images, C channels, H height, W width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.data.fit import Fit
from ganglion.data.pixels import to_float
from ganglion.data.store import Store
from ganglion.data.suitability import channels_among, classes_among, copies_in, kinds_among
from ganglion.networks.build import Cost
from ganglion.recipe.deviations import NARROW, Deviation, deviations
from ganglion.recipe.schema import Recipe
from ganglion.streams import Purpose, stream
from ganglion.vitals.gradients import LayerSignal
from ganglion.vitals.sample_stats import downsampled, mean_distance, nearest_others, pairwise, saturation

__all__ = ["Remark", "of_balance", "of_first_weights", "of_images", "of_values"]

CHECKED_IMAGES = 1000

FEW, VERY_FEW = 300, 50
REPEATED = 0.02
MIN_RANGE = 0.25  # of 256 levels: images that use less are probably not scaled
MIN_STD, MAX_SATURATED = 0.02, 0.5  # of G's initial images: standard deviation of pixels, share of saturated pixels
MAX_GRADIENT_RATIO = 1e3  # between layers, gradient over weight
MAX_COST_RATIO = 20.0  # of the networks' operations
SMALL_RATE, LARGE_RATE = 1 / 5, 20.0  # times the preset's learning rate
OTHER_WEIGHT = 50.0  # times the preset's penalty, clip bound or standard deviation of first weights, or its inverse


@dataclass(frozen=True)
class Remark:
    """The result of one check."""

    level: Literal["fine", "watch", "failing"]
    topic: str
    text: str


def of_images(store: Store, augmented: bool) -> list[Remark]:
    """Too few, repeated, of mixed kinds, not scaled. `augmented`: the recipe augments them."""
    n = len(store.images)
    facts = store.facts
    level: Literal["fine", "watch", "failing"] = "failing" if n < VERY_FEW else "watch" if n < FEW else "fine"
    advice = {"failing": ": a GAN overfits to so few; use more"}
    if not augmented:
        advice["watch"] = ": augment them (recipe small-data)"
    found = [Remark(level, "number", f"{n:,} images{advice.get(level, '')}")]
    chosen = np.sort(stream(0, Purpose.EXAMINED).permutation(n)[:CHECKED_IMAGES])
    pixels = np.array(store.images[chosen])
    kept = store.fit.duplicates == "keep"
    found += [Remark("watch" if kept else "fine", "copies", note) for note in copies_in(facts, store.fit)]
    equal = facts["duplicates"] / n if kept else 0.0
    if (repeated := _repeated(pixels)) > REPEATED + 2 * equal:  # of a pair both are repeated
        text = (
            f"{repeated:.0%} of the images nearly equal another one: G will learn to reproduce them; keep one of each"
        )
        found.append(Remark("watch", "copies", text))
    low, high = int(pixels.min()), int(pixels.max())
    if high - low < MIN_RANGE * 255:
        text = f"all pixels are in {low}..{high} of 0..255: were they saved without scaling?"
        found.append(Remark("failing", "range", text))
    else:
        found.append(Remark("fine", "range", f"pixels span {low}..{high}"))
    found += _of_kinds(facts, n, store.fit)
    return found


def _of_kinds(facts: dict[str, Any], n: int, settings: Fit) -> list[Remark]:
    found = [Remark("watch", "kinds", note) for note in kinds_among(facts)]
    found += [Remark("watch", "labels", note) for note in classes_among(facts)]
    found += [Remark("watch", "channels", note) for note in channels_among(facts, settings)]
    gray = facts.get("gray", 0)
    if 0.02 * n < gray < 0.98 * n:
        found.append(Remark("watch", "kinds", f"{gray:,} gray and {n - gray:,} colour images are mixed"))
    small_side, large_side = (min(facts.get(key, (0, 0))) for key in ("smallest_size", "largest_size"))
    if small_side and large_side > 8 * small_side:
        text = (
            f"sizes from {small_side} to {large_side} pixels are mixed: enlarged ones look blurred next to the others"
        )
        found.append(Remark("watch", "sizes", text))
    if facts.get("bad"):
        found.append(Remark("watch", "files", f"{len(facts['bad'])} files are skipped; ganglion data lists them"))
    labels = facts.get("labels_file") or {"not_used": "", "remarks": []}
    if labels["not_used"] or labels["remarks"]:
        why = labels["not_used"] or f"{len(labels['remarks'])} remarks; ganglion data lists them"
        found.append(
            Remark("watch", "labels", f"{labels['name']}{' is not used' if labels['not_used'] else ''}: {why}")
        )
    return found


def of_values(recipe: Recipe) -> list[Remark]:
    """Values that differ from those of the preset by as much as ruined runs (docs/doctor.md has how many)."""
    found, others = [], deviations(recipe)
    for key, one in others.items():
        if key.endswith(".lr") and key.replace(".lr", ".kind") in others:
            continue  # rates of two kinds of optimiser cannot be compared
        factor = _weight_factor(one) if key == "objective.penalties" else one.factor
        if factor is not None and (why := _harm(key, factor)):
            now, usual = one.texts
            found.append(Remark("watch", "values", f"{key} is {now}, {recipe.name} has {usual}: {why}"))
    return found


def _harm(key: str, factor: float) -> str:
    """What a value that is so many times the preset's may do; empty where nothing is known."""
    last = key.rpartition(".")[2]
    player = "G" if ".generator." in f".{key}" else "D"
    if last == "lr" and factor <= SMALL_RATE:
        return f"{player}'s weights may hardly change"
    if last == "lr" and factor >= LARGE_RATE:
        return f"{player}'s weights may change too fast"
    if last == "width" and factor <= NARROW:
        return f"{player} may be too narrow for these images"
    unequal = max(factor, 1 / factor) >= OTHER_WEIGHT
    return "far from what it was tried with" if unequal and last in ("penalties", "weight_clip", "std") else ""


def _weight_factor(one: Deviation) -> float | None:
    """Of all penalties together, where they are of the same kinds."""
    if not (isinstance(one.value, list) and isinstance(one.usual, list)):
        return None
    kinds = [sorted(penalty["kind"] for penalty in penalties) for penalties in (one.value, one.usual)]
    weights = [sum(penalty["weight"] for penalty in penalties) for penalties in (one.value, one.usual)]
    return float(weights[0] / weights[1]) if kinds[0] == kinds[1] and min(weights) > 0 else None


def of_balance(cost_g: Cost, cost_d: Cost) -> list[Remark]:
    """Whether one network is far larger than the other."""
    text = f"G {cost_g}; D {cost_d}"
    ratio = max(cost_g.flops, cost_d.flops) / max(1, min(cost_g.flops, cost_d.flops))
    if ratio <= MAX_COST_RATIO:
        return [Remark("fine", "balance", text)]
    larger = "G" if cost_g.flops > cost_d.flops else "D"
    unequal = f"{text}: {larger} needs {ratio:,.0f} times as many operations per image; make the widths more equal"
    return [Remark("watch", "balance", unequal)]


def of_first_weights(layers_g: list[LayerSignal], layers_d: list[LayerSignal], first: Tensor) -> list[Remark]:
    """The size of signals and gradients at initialisation; `first` are G's initial images. Where a layer begins at zero, it and
    those that get no gradient because of it are left out.
    """
    std, saturated = float(first.std()), float(saturation(first))
    found = []
    if saturated > MAX_SATURATED:
        text = f"{saturated:.0%} of the pixels of G's initial images are black or white, where tanh passes no gradient"
        advice = "use smaller weights (init.scheme normal, init.std 0.02)"
        found.append(Remark("failing", "initial weights", f"{text}: {advice}"))
    elif std < MIN_STD:
        text = f"G's initial images are nearly uniform gray (standard deviation {std:.2g}): signals vanish"
        advice = "use larger weights (init.scheme kaiming) or a norm (generator.norm batch)"
        found.append(Remark("watch", "initial weights", f"{text}; {advice}"))
    return [*found, *(_of_gradients(name, layers) for name, layers in (("G", layers_g), ("D", layers_d)))]


def _of_gradients(name: str, layers: list[LayerSignal]) -> Remark:
    if not all(math.isfinite(layer.gradient) for layer in layers):
        return Remark("failing", "gradients", f"a gradient of {name} is not finite with its initial weights")
    dead = [layer for layer in layers if layer.gradient == 0]
    if dead and all(layer.weight > 0 for layer in layers):
        text = (
            f"{len(dead)} of {name}'s {len(layers)} layers get no gradient with the initial weights: they cannot learn"
        )
        return Remark("watch", "gradients", text)
    relative = [layer.gradient / layer.weight for layer in layers if layer.gradient > 0 and layer.weight > 0]
    ratio = max(relative) / min(relative) if relative else 1.0
    text = f"gradient over weight of {name}'s layers is within a factor of {ratio:,.0f}"
    if ratio <= MAX_GRADIENT_RATIO:
        return Remark("fine", "gradients", text)
    return Remark("watch", "gradients", f"{text}: some layers would learn fast and others not at all")


def _repeated(pixels: NDArray[np.uint8]) -> float:
    """Share of images with a near-duplicate."""
    if len(pixels) < 3:
        return 0.0
    rows = downsampled(to_float(torch.from_numpy(pixels)))
    distances = pairwise(rows)
    return float((nearest_others(distances) < 0.02 * mean_distance(distances)).float().mean())
