"""Whether a run ended well, by a judge that neither training, nor records, nor the doctor use.

Of labelled data (digits, MNIST, CIFAR-10) the features of a classifier trained on the reals, otherwise SqueezeNet's. A run is
sick if its samples are three times further from the data than the median of the healthy runs of the same program, data and
length, if they have fewer than 80 % of the classes that those have, or if its numbers are not finite. Where a slow program's
healthy runs are so far from the data that three times as far is beyond what a failed run shows, the limit is half-way, by the
logarithm, between them and such a run; where they are no better than one, nothing can be told, and the runs are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from energy_distance import energy_distance
from ganglion.data.prepare import cache_folder
from ganglion.metrics.pretrained import squeezenet_extractor
from population.setting import Images

__all__ = ["CLASSES_KEPT", "FURTHER", "LABELLED", "Measured", "failed_distance", "judge_of", "learns", "sick", "truths"]

LABELLED = ("digits", "mnist", "cifar")
FURTHER, CLASSES_KEPT, LEARNT = 3.0, 0.8, 0.7
PRESENT = 0.2  # of its share among the reals, from which a class counts as there
COMPARED = 1000  # images of each set, at most
CHUNK = 100


@dataclass(frozen=True)
class Measured:
    """Of one run's samples."""

    distance: float
    """Energy distance to the reals, over that of ten reals repeated."""
    classes: float | None
    """Share of the classes of the reals that are there."""


class Judge:
    def __init__(self, data: Images) -> None:
        self.labelled = data.name in LABELLED
        self._network = _classifier(data) if self.labelled else _squeezenet()
        chosen = torch.from_numpy(np.random.default_rng(7).permutation(len(data.pixels))[:COMPARED])
        features, self._real_classes = self._look(data.pixels[chosen])
        self._centre, self._scale = features.mean(0), float(features.std(0).norm())
        self._reals = self._scaled(features)
        repeated = self._reals[torch.arange(500) % 10]
        self._unit = energy_distance(repeated, self._reals)

    def measure(self, samples: Tensor) -> Measured:
        """Of samples uint8 (N, C, S, S)."""
        features, classes = self._look(samples)
        distance = energy_distance(self._scaled(features), self._reals) / self._unit
        return Measured(distance, _found(classes, self._real_classes) if self.labelled else None)

    def _look(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            found = [self._network(part.float() / 127.5 - 1) for part in pixels.split(CHUNK)]
        features, logits = (torch.cat(part) for part in zip(*found, strict=True))
        return features.double(), logits.argmax(1)

    def _scaled(self, features: Tensor) -> Tensor:
        return (features - self._centre) / self._scale


judge_of = cache(Judge)


@cache
def failed_distance(data: Images) -> float:
    """How far from the data a failed run is: one that shows the mean image, or another image, whatever the latent."""
    mean = data.pixels.float().mean(0, keepdim=True).round().to(torch.uint8)
    alone = [image[None] for image in data.pixels[:: max(1, len(data.pixels) // 10)][:10]]
    mean_distance, *others = (judge_of(data).measure(one.expand(500, -1, -1, -1)).distance for one in (mean, *alone))
    return min(mean_distance, float(np.median(others)))


def learns(healthy: list[Measured], failed: float) -> bool:
    """Whether a program's healthy runs are better than a failed one, so that others can be judged by them."""
    return float(np.median([one.distance for one in healthy])) < LEARNT * failed


def sick(measured: Measured, finite: bool, healthy: list[Measured], failed: float) -> bool:
    """`healthy`: the same program, data and length, nothing changed. `failed`: the distance of a run that shows one image."""
    usual = max(float(np.median([one.distance for one in healthy])), 0.02)
    limit = min(FURTHER * usual, float(np.sqrt(usual * failed)))
    if not finite or not np.isfinite(measured.distance) or measured.distance > limit:
        return True
    if measured.classes is None:
        return False
    return measured.classes < CLASSES_KEPT * float(np.median([one.classes for one in healthy]))


def _squeezenet() -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    embed = squeezenet_extractor(cache_folder(), torch.device("cpu")).embed

    def look(images: Tensor) -> tuple[Tensor, Tensor]:
        features = embed(images).features.sqrt()
        return features, torch.zeros(len(features), 1)

    return look


def _found(classes: Tensor, real: Tensor) -> float:
    count = int(real.max()) + 1
    shares, usual = (torch.bincount(one, minlength=count)[:count] / len(one) for one in (classes, real))
    return float((shares >= PRESENT * usual).float().mean())


class Classifier(nn.Module):
    """Images (N, C, S, S) in [-1, 1] to features (N, 128) and logits."""

    def __init__(self, channels: int, size: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((channels, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * (size // 8) ** 2, 128), nn.ReLU())
        self.head = nn.Linear(128, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(images)
        return features, self.head(features)


def _classifier(data: Images, steps: int = 1500, batch: int = 128) -> Classifier:
    """From the cache, or trained now, in a minute or two."""
    assert data.labels is not None
    place = cache_folder() / f"population-judge-{data.name}-{data.size}.pt"
    network = Classifier(data.channels, data.size, data.classes)
    if place.is_file():
        network.load_state_dict(torch.load(place, weights_only=True))
        return network.eval()
    state = torch.random.get_rng_state()
    torch.manual_seed(11)
    random = np.random.default_rng(11)
    for layer in network.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    for _ in range(steps):
        chosen = torch.from_numpy(random.integers(0, len(data.pixels), batch))
        images = data.pixels[chosen].float() / 127.5 - 1
        if data.name == "cifar":
            images = torch.where(torch.rand(batch, 1, 1, 1) < 0.5, images.flip(3), images)
        _, logits = network(images)
        optimizer.zero_grad()
        cross_entropy(logits, data.labels[chosen]).backward()
        optimizer.step()
        schedule.step()
    torch.random.set_rng_state(state)
    place.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), place)
    return network.eval()


def truths(results: list[dict[str, Any]]) -> dict[str, bool]:
    """By the run's id: whether it is sick. Left out are runs of which there is no healthy one of the same program and data,
    and those of programs that do not learn these data in their time.
    """
    healthy: dict[tuple[str, str], list[Measured]] = defaultdict(list)
    for one in results:
        if one["kind"] == "none" and one["finite"] and one.get("distance") is not None:
            healthy[one["program"], one["data"]].append(Measured(one["distance"], one["classes"]))
    failed = {one["data"]: one["failed"] for one in results if one.get("failed") is not None}
    found = {}
    for one in results:
        usual = healthy[one["program"], one["data"]]
        if usual and learns(usual, failed[one["data"]]):
            measured = Measured(one.get("distance") or float("nan"), one.get("classes"))
            found[one["id"]] = sick(measured, one["finite"], usual, failed[one["data"]])
    return found
