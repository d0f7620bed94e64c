"""Fréchet distances under classifiers that no trainer here uses: of digits (judge.py), and one of flowers.

The flowers' classifier is trained on the labels of the 17 kinds, once, and kept in the cache. A distance on features of
one's own compares only with others of the same table.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from ganglion.data.pixels import to_float
from ganglion.data.prepare import cache_folder, prepare
from ganglion.data.store import Store
from ganglion.metrics.distances import Moments, frechet_distance, moments
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Data
from judge import Judge, look, trained_judge

__all__ = ["Scorer", "digit_scorer", "flower_scorer"]

EPOCHS, BATCH, SHIFT, HELD_OUT = 40, 32, 6, 10


class Scorer:
    """Distances to the images of a store, from features (N, F) of uint8 images (N, H, W, C)."""

    def __init__(self, store: Store, features: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> None:
        self.images, self.features = store.images, features
        self.real = moments(features(store.images))

    def fid(self, samples: NDArray[np.uint8]) -> float:
        return frechet_distance(moments(self.features(self.as_data(samples))), self.real)

    def floor(self) -> float:
        """The distance between two halves of the images."""
        order = np.random.default_rng(0).permutation(len(self.images))
        halves: list[Moments] = [
            moments(self.features(self.images[np.sort(half)])) for half in np.array_split(order, 2)
        ]
        return frechet_distance(*halves)

    def as_data(self, samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Gray samples of networks that only draw in colour."""
        if samples.shape[3] == self.images.shape[3]:
            return samples
        return samples.mean(3, keepdims=True).round().astype(np.uint8)


def store_of(folder: Path, size: int, channels: int) -> Store:
    data: dict[str, Any] = {"source": str(folder), "size": (size, size), "channels": channels}
    return prepare(Data(**data), cache_folder(), Screen(quiet=True))


def digit_scorer(folder: Path, data_dir: Path) -> Scorer:
    judge = trained_judge(data_dir)
    return Scorer(store_of(folder, 32, 1), lambda images: look(judge, images)[0])


def flower_scorer(folder: Path) -> Scorer:
    store = store_of(folder, 64, 3)
    judge = trained_flower_judge(store)
    return Scorer(store, lambda images: look(judge, images)[0])


class FlowerJudge(Judge):
    """RGB images (N, 3, 64, 64) in [-1, 1] to features (N, 128) and logits (N, classes)."""

    def __init__(self, classes: int) -> None:
        nn.Module.__init__(self)
        layers: list[nn.Module] = []
        for before, after in ((3, 32), (32, 64), (64, 128), (128, 128)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(512, 128), nn.ReLU())
        self.head = nn.Linear(128, classes)


def trained_flower_judge(store: Store) -> FlowerJudge:
    """The judge from the cache, or trained now on nine tenths of the images; prints its accuracy on the others."""
    place = cache_folder() / f"judge-flowers-64-{store.content[:16]}.safetensors"
    judge = FlowerJudge(len(store.classes))
    if place.is_file():
        judge.load_state_dict(load_file(place))
        return judge.eval()
    order = np.random.default_rng(1).permutation(len(store.images))
    unseen, seen = np.array_split(order, [len(order) // HELD_OUT])
    _train(judge, store, seen)
    right = (look(judge.eval(), store.images[unseen])[1] == store.labels[unseen]).mean()
    print(f"judge of flowers: {right:.0%} of {len(unseen)} held-out images named rightly")
    place.parent.mkdir(parents=True, exist_ok=True)
    save_file(judge.state_dict(), place)
    return judge


def _train(judge: FlowerJudge, store: Store, seen: NDArray[np.int64]) -> None:
    torch.manual_seed(1)
    random = np.random.default_rng(1)
    judge.apply(lambda layer: layer.reset_parameters() if hasattr(layer, "reset_parameters") else None)
    optimizer = torch.optim.AdamW(judge.parameters(), 1e-3, weight_decay=0.05)
    steps = max(1, EPOCHS * len(seen) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    for _ in range(steps):
        chosen = random.choice(seen, BATCH)
        images = _shifted(to_float(torch.from_numpy(store.images[chosen])), random)
        _, logits = judge(images)
        optimizer.zero_grad()
        cross_entropy(logits, torch.from_numpy(store.labels[chosen])).backward()
        optimizer.step()
        schedule.step()


def _shifted(images: Tensor, random: np.random.Generator) -> Tensor:
    """The batch shifted by up to 6 pixels, and mirrored half of the time."""
    top, left = random.integers(0, 2 * SHIFT + 1, 2)
    height, width = images.shape[2:]
    moved = pad(images, (SHIFT,) * 4, mode="reflect")[:, :, top : top + height, left : left + width]
    return moved.flip(3) if random.random() < 0.5 else moved
