"""An independent judge of MNIST samples: a classifier that no GAN here has seen, trained once and kept.

Its 128 features give a Fréchet distance (FID by the formula, on features of its own: only ratios within one judge mean
anything), its classes the number of modes that were found.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganglion.data.pixels import to_float
from ganglion.data.prepare import cache_folder, prepare
from ganglion.data.store import Store
from ganglion.metrics.distances import Moments, frechet_distance, moments
from ganglion.platform.devices import choose_precision
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Data

EPOCHS, BATCH = 3, 128
PRESENT = 0.01  # share of the samples above which a class counts as found


class Judge(nn.Module):
    """Gray images (N, 1, 32, 32) in [-1, 1] to features (N, 128) and logits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((1, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, 128), nn.ReLU())
        self.head = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(images)
        return features, self.head(features)


class Score(NamedTuple):
    fid: float
    modes: int
    """Digits that are at least a hundredth of the samples."""


class Reals(NamedTuple):
    moments: Moments
    floor: float
    """The distance between 10,000 reals and the other 50,000."""


def digits(data_dir: Path, part: str) -> Store:
    """MNIST's `train` or `t10k`, at 32x32."""
    source = data_dir / f"{part}-images-idx3-ubyte.gz"
    return prepare(Data(source=str(source), size=(32, 32), channels=1), cache_folder(), Screen(quiet=True))


def trained_judge(data_dir: Path) -> Judge:
    """The judge from the cache, or trained now (minutes); always with the same weights for the same machine."""
    place = cache_folder() / "judge-mnist-32.safetensors"
    judge = Judge()
    if place.is_file():
        judge.load_state_dict(load_file(place))
    else:
        _train(judge, digits(data_dir, "train"))
        place.parent.mkdir(parents=True, exist_ok=True)
        save_file(judge.state_dict(), place)
    return judge.eval()


def _train(judge: Judge, store: Store) -> None:
    torch.manual_seed(1)
    random = np.random.default_rng(1)
    judge.apply(lambda layer: layer.reset_parameters() if hasattr(layer, "reset_parameters") else None)
    steps = EPOCHS * len(store.images) // BATCH
    optimizer = torch.optim.Adam(judge.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    native_bf16 = choose_precision("auto", torch.device("cpu")) == "bf16"
    for _ in range(steps):
        chosen = random.integers(0, len(store.images), BATCH)
        images, labels = to_float(torch.from_numpy(store.images[chosen])), torch.from_numpy(store.labels[chosen])
        with torch.autocast("cpu", torch.bfloat16, enabled=native_bf16):
            _, logits = judge(images)
        optimizer.zero_grad()
        cross_entropy(logits.float(), labels).backward()
        optimizer.step()
        schedule.step()


def look(judge: Judge, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features (N, 128) and classes (N,) of uint8 images (N, 32, 32, 1)."""
    features, classes = [], []
    with torch.no_grad():
        for first in range(0, len(images), 500):
            found, logits = judge(to_float(torch.from_numpy(np.array(images[first : first + 500]))))
            features.append(found.numpy())
            classes.append(logits.argmax(1).numpy())
    return np.concatenate(features), np.concatenate(classes)


def know_reals(judge: Judge, store: Store) -> Reals:
    """What there is to know of the real images; kept beside the judge."""
    place = cache_folder() / f"judge-mnist-32-{store.content[:16]}.npz"
    if not place.is_file():
        features, _ = look(judge, store.images)
        chosen = np.random.default_rng(0).permutation(len(features))
        few = min(10_000, len(features) // 2)
        floor = frechet_distance(moments(features[chosen[:few]]), moments(features[chosen[few:]]))
        mean, covariance = moments(features)
        np.savez(place, mean=mean, covariance=covariance, floor=floor)
    kept = np.load(place)
    return Reals(Moments(kept["mean"], kept["covariance"]), float(kept["floor"]))


def score(judge: Judge, reals: Reals, samples: NDArray[np.uint8]) -> Score:
    features, classes = look(judge, samples)
    shares = np.bincount(classes, minlength=10) / len(classes)
    return Score(frechet_distance(moments(features), reals.moments), int((shares >= PRESENT).sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="MNIST in its IDX files")
    data_dir = parser.parse_args().data_dir
    started = time.monotonic()
    judge = trained_judge(data_dir)
    test = digits(data_dir, "t10k")
    _, classes = look(judge, test.images)
    reals = know_reals(judge, digits(data_dir, "train"))
    right = float((classes == test.labels).mean())
    print(f"accuracy on the test set {right:.2%}, floor {reals.floor:.2f}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
