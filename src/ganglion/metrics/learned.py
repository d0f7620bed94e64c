"""A feature network trained once on a third of the user's own real images, in about two minutes on two cores.

What it learns: which two of many disturbed views show the same image (SimCLR, Chen et al. 2020, arXiv 2002.05709,
equation 1), and where images have classes, which class it is. The views are moved and partly covered, never recoloured
or blurred, so that the features keep what generators get wrong. Images that it was trained on have other features than unseen
ones, the more so the fewer they are; so samples are compared with the two thirds that it was not trained on.
C channels, N images, A features, K classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, normalize

from ganglion.augment.diffaugment import cutout, translation
from ganglion.data.batches import order
from ganglion.data.pixels import to_float
from ganglion.errors import DataError
from ganglion.metrics.features import Extractor, ExtractorOutput, ImageSet, weights_hash
from ganglion.platform.files import write_atomically
from ganglion.streams import Purpose, stream

__all__ = ["FEATURES", "for_features", "learned_extractor"]


FEATURES = 128
LARGEST_SIDE = 64
STEPS, BATCH = 700, 96
TEMPERATURE = 0.2
LEARNING_RATE = 2e-3
ONE_IN = 3  # images: half of the others, which the floor compares, then outnumber the features from 500 images on
FEWEST = 16  # images to be trained on, and to be compared with
VERSION = 3  # of all of the above: a change must not meet weights of before


class Encoder(nn.Module):
    """Images (N, C, H, W) in [-1, 1], of any size, to features (N, 128), projections (N, 64) and logits (N, K)."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, stride in ((channels, 32, 1), (32, 64, 2), (64, 128, 2), (128, 128, 2)):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.features = nn.Linear(4 * 128, FEATURES)
        self.projection = nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, 64))
        self.classes = nn.Linear(FEATURES, classes) if classes else None

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        side = max(images.shape[2:])
        if side > LARGEST_SIDE:
            h, w = (max(1, round(length * LARGEST_SIDE / side)) for length in images.shape[2:])
            images = adaptive_avg_pool2d(images, (h, w))
        found = self.body(images)
        features = self.features(adaptive_avg_pool2d(found, 2).flatten(1))
        return features, self.projection(features), None if self.classes is None else self.classes(features.relu())


def learned_extractor(
    real: ImageSet,
    cache: Path,
    device: torch.device,
    progress: Callable[[int, int], None] = lambda done, total: None,
    steps: int = STEPS,
) -> Extractor:
    """The network of these images: from `cache`, or trained now. Equal images give equal weights on the same machine.

    Raises DataError for images that are too few to be parted.
    """
    places = np.flatnonzero(for_features(real))
    if min(len(places), len(real) - len(places)) < FEWEST:
        raise DataError(
            f"--features learned are trained on one part of the real images and compare with the other: of these "
            f"{len(real):,} images those are {len(places):,} and {len(real) - len(places):,}, and it takes at least "
            f"{FEWEST} of each; use --features random or pixels"
        )
    network = Encoder(real.shape[2], len(real.classes)).to(device)
    key = hashlib.sha256(f"{real.content} {real.images.shape} {VERSION} {steps}".encode()).hexdigest()[:32]
    place = cache / "extractors" / f"learned-{key}.safetensors"
    if not _loaded(network, place):
        _train(network, real, places, device, steps, progress)
        write_atomically(place, save({name: tensor.cpu() for name, tensor in network.state_dict().items()}))
    network.eval().requires_grad_(False)

    def embed(images: Tensor) -> ExtractorOutput:
        features, _, logits = network(images)
        return ExtractorOutput(features, None if logits is None else logits.softmax(1))

    how = f"which of {len(real.classes)} classes, and which image, it sees" if real.classes else "which image it sees"
    return Extractor(
        "learned", weights_hash(network.state_dict()),
        f"trained on a third of the real images to tell {how}: for this data set only", embed, device, real.classes,
        trained_on=for_features,
    )  # fmt: skip


def for_features(images: ImageSet) -> NDArray[np.bool_]:
    """Which images (N,) the network is trained on: one in three, chosen by a hash of its pixels.

    So equal images are on one side, however often they occur, and a part of a set is split as the whole is.
    """
    digests = (
        hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=8, person=b"features").digest()
        for image in np.asarray(images.images)
    )
    numbers = np.fromiter((int.from_bytes(digest, "big") for digest in digests), np.uint64, len(images))  # (N,)
    chosen: NDArray[np.bool_] = numbers % ONE_IN == 0
    return chosen


def _loaded(network: Encoder, place: Path) -> bool:
    """Whether there were whole weights at `place`; damaged ones are trained anew."""
    try:
        network.load_state_dict(load_file(place))
    except (OSError, SafetensorError, RuntimeError, KeyError):
        return False
    return True


def _train(
    network: Encoder, real: ImageSet, places: NDArray[np.int64], device: torch.device, steps: int,
    progress: Callable[[int, int], None],
) -> None:  # fmt: skip
    """On the images of `real` at these places."""
    _initialise(network)
    random = torch.Generator(device).manual_seed(0)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    network.train()
    for step in range(steps):
        chosen = places[order(len(places), 0, step * BATCH, BATCH)]
        images = to_float(torch.from_numpy(real.images[chosen]).to(device))
        views = torch.cat([_view(images, random), _view(images, random)])  # (2N, C, H, W)
        _, projections, logits = network(views.contiguous())
        loss = same_image_loss(projections)
        if logits is not None and real.labels is not None:
            loss = loss + cross_entropy(logits, torch.from_numpy(real.labels[chosen]).to(device).repeat(2))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        progress(step + 1, steps)


def _initialise(network: Encoder) -> None:
    """He et al. 2015, from our own numbers, so that nothing depends on the global generator."""
    random = stream(0, Purpose.EXTRACTOR, 1)
    for weight in network.parameters():
        if weight.ndim > 1:
            drawn = random.standard_normal(tuple(weight.shape)) * np.sqrt(2 / weight[0].numel())
            weight.data.copy_(torch.from_numpy(drawn.astype(np.float32)))
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.bias)


def _view(images: Tensor, random: torch.Generator) -> Tensor:
    return cutout(translation(images, random), random)


def same_image_loss(projections: Tensor) -> Tensor:
    """Cross-entropy of finding the other view among 2N - 1 views by cosine similarity; rows i and i + N are one image."""
    count = len(projections)
    directions = normalize(projections.float())
    similar = directions @ directions.T / TEMPERATURE  # (2N, 2N)
    similar = similar.masked_fill(torch.eye(count, dtype=torch.bool, device=similar.device), -torch.inf)
    other = torch.arange(count, device=similar.device).roll(count // 2)
    return cross_entropy(similar, other)
