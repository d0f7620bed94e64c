"""Features without training or download: random convolutions and coarse pixels, and the score of snapshots that uses them.

Random convolutions preserve enough information to rank generators on one data set (Naeem et al. 2020, arXiv 2002.09797,
section 4.2, propose them where no pretrained network is suitable). N images, C channels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from torch.nn.utils import skip_init

from ganglion.metrics.distances import frechet_distance_from, moments
from ganglion.metrics.features import Extractor, ExtractorOutput, weights_hash
from ganglion.streams import Purpose, stream

__all__ = ["SCORED_IMAGES", "SnapshotScore", "pixel_extractor", "random_extractor", "scored_images"]


WIDTHS = (32, 64, 128)
KERNEL = 5
LEAST_SIDE = 4


class RandomConvolutions(nn.Module):
    """(N, C, H, W) to mean and standard deviation of each channel over positions, for each layer, (N, 448)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for before, after in zip((channels, *WIDTHS), WIDTHS, strict=False):
            layer = skip_init(nn.Conv2d, before, after, KERNEL, stride=2, padding=KERNEL // 2)  # type: ignore[no-untyped-call]
            self.layers.append(layer)
        random = stream(0, Purpose.EXTRACTOR)  # the same numbers on every machine and in every version of torch
        for weight in self.parameters():
            deviation = math.sqrt(2 / (weight[0].numel())) if weight.ndim > 1 else 0.1
            drawn = random.standard_normal(tuple(weight.shape)) * deviation
            weight.data = torch.from_numpy(drawn.astype(np.float32))

    def forward(self, images: Tensor) -> Tensor:
        found = []
        for layer in self.layers:
            images = layer(images).relu()
            mean = images.mean((2, 3), keepdim=True)
            deviation = (images - mean).square_().mean((2, 3)).sqrt()  # std takes many times as long
            found += [mean.flatten(1), deviation]
            if min(images.shape[2:]) < LEAST_SIDE:
                break
        return torch.cat(found, 1)


def random_extractor(channels: int, device: torch.device) -> Extractor:
    """Random convolutions for images of `channels` channels."""
    network = RandomConvolutions(channels).eval().requires_grad_(False).to(device)
    return Extractor(
        "random", weights_hash(network.state_dict()), "random convolutions, untrained: for ranking only",
        lambda images: ExtractorOutput(network(images), None), device,
    )  # fmt: skip


SIDE = 8


def pixel_extractor(device: torch.device) -> Extractor:
    """Means over at most 8x8 areas, as (N, C*64)."""

    def embed(images: Tensor) -> ExtractorOutput:
        height, width = (min(SIDE, side) for side in images.shape[2:])
        return ExtractorOutput(adaptive_avg_pool2d(images, (height, width)).flatten(1), None)

    return Extractor(
        "pixels", f"pixels {SIDE}", "mean colours of at most 8x8 areas: colour and layout only", embed, device
    )


SCORED_IMAGES, FEWEST_SCORED = 1000, 500  # of a snapshot: as many as there are reals, within these


def scored_images(reals: int) -> int:
    """How many samples of a snapshot are scored, where there are so many reals."""
    return min(SCORED_IMAGES, max(FEWEST_SCORED, reals))


class SnapshotScore:
    """Fréchet distance of samples to fixed reals, on random convolutions. Lower is better.

    Values are comparable only for equal reals and equal numbers of samples.
    """

    def __init__(self, reals: Iterable[Tensor]) -> None:
        """reals: chunks of float images (N, C, H, W) in [-1, 1] on any device, at least 2 images in all."""
        chunks = iter(reals)
        first = next(chunks)
        self._extractor = random_extractor(first.shape[1], first.device)
        self._distance = frechet_distance_from(moments(self.features(chain([first], chunks))))

    def features(self, images: Iterable[Tensor]) -> NDArray[np.float32]:
        """Features (M, A) of chunks of the reals' size, channels and device."""
        with torch.no_grad():
            return np.concatenate([self._extractor.embed(chunk).features.cpu().numpy() for chunk in images])

    def frechet(self, features: NDArray[np.float32]) -> float:
        """The distance of images with these features (M, A)."""
        return self._distance(moments(features))

    def of(self, samples: Iterable[Tensor]) -> float:
        """The distance of samples, in chunks."""
        return self.frechet(self.features(samples))
