"""A feature network trained once on a third of the user's own real images, in about two minutes on two cores.

Objective: instance discrimination between augmented views (SimCLR, Chen et al. 2020, arXiv 2002.05709,
equation 1), and classification where images have classes. Views are shifted and partly masked, not recoloured
or blurred, so that the features remain sensitive to typical faults of generators. Features of its training images differ from
those of other images, the more so the fewer they are; so samples are compared with the two thirds it was not trained on.
C channels, N images, A features, K classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
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
from ganglion.errors import DataError, StorageError
from ganglion.metrics.features import Extractor, ExtractorOutput, ImageSet, weights_hash
from ganglion.platform.files import write_atomically
from ganglion.streams import Purpose, stream

__all__ = ["FEATURES", "feature_training_split", "learned_extractor"]


FEATURES = 128
LARGEST_SIDE = 64
STEPS, BATCH = 700, 96
TEMPERATURE = 0.2
LEARNING_RATE = 2e-3
ONE_IN = (
    3  # images for training; half of the others, used for the floor, then outnumber the features from 500 images on
)
FEWEST = 16  # images for training, and for comparison
VERSION = 3  # of all of the above: increment it with each change, so that cached weights are not reused


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
    """The network for these images: from `cache`, or trained now. Equal images give equal weights on the same machine.

    Raises DataError for too few images.
    """
    indices = np.flatnonzero(feature_training_split(real))
    if min(len(indices), len(real) - len(indices)) < FEWEST:
        raise DataError(
            f"--features learned trains on one part of the real images and compares with the other: of these "
            f"{len(real):,} images the parts have {len(indices):,} and {len(real) - len(indices):,}, and at least "
            f"{FEWEST} of each are needed; use --features random or pixels"
        )
    network = Encoder(real.shape[2], len(real.classes)).to(device)
    key = hashlib.sha256(f"{real.content} {(len(real), *real.shape)} {VERSION} {steps}".encode()).hexdigest()[:32]
    path = cache / "extractors" / f"learned-{key}.safetensors"
    if not _loaded(network, path):
        _train(network, real, indices, device, steps, progress)
        with suppress(StorageError):  # a cache that cannot be written
            write_atomically(path, save({name: tensor.cpu() for name, tensor in network.state_dict().items()}))
    network.eval().requires_grad_(False)

    def embed(images: Tensor) -> ExtractorOutput:
        features, _, logits = network(images)
        return ExtractorOutput(features, None if logits is None else logits.softmax(1))

    task = f"instances and {len(real.classes)} classes" if real.classes else "instances"
    return Extractor(
        "learned", weights_hash(network.state_dict()),
        f"trained on a third of the real images to discriminate {task}: for this data set only", embed, device, real.classes,
        trained_on=feature_training_split,
    )  # fmt: skip


def feature_training_split(images: ImageSet) -> NDArray[np.bool_]:
    """Which images (N,) the network is trained on: one in three, chosen by a hash of its pixels.

    Duplicates are therefore in the same part, and a subset is split like the whole set.
    """
    digests = (
        hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=8, person=b"features").digest()
        for image in np.asarray(images.images)
    )
    numbers = np.fromiter((int.from_bytes(digest, "big") for digest in digests), np.uint64, len(images))  # (N,)
    chosen: NDArray[np.bool_] = numbers % ONE_IN == 0
    return chosen


def _loaded(network: Encoder, path: Path) -> bool:
    """Loads the weights at `path`; False where they are missing or damaged."""
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError, KeyError):
        return False
    return True


def _train(
    network: Encoder, real: ImageSet, indices: NDArray[np.int64], device: torch.device, steps: int,
    progress: Callable[[int, int], None],
) -> None:  # fmt: skip
    """On the images of `real` at these indices."""
    _initialise(network)
    random = torch.Generator(device).manual_seed(0)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    network.train()
    for step in range(steps):
        chosen = indices[order(len(indices), 0, step * BATCH, BATCH)]
        images = to_float(torch.from_numpy(real[chosen]).to(device))
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
    """He et al. 2015, from a separate random stream, so that nothing depends on the global generator."""
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
