"""Mixtures of Gaussians in the plane with small fully connected networks: the field's smallest test of mode collapse.

Which modes exist is known exactly. A ring of 8 (Metz et al. 2017, arXiv 1611.02163) and a grid of 25 (Srivastava et al.
2017, arXiv 1705.07761), with modes wider than theirs, so that seconds are enough. N points, K modes, Z latent dimension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganglion.data.batches import Batch
from ganglion.networks.base import Discriminator
from ganglion.streams import Purpose, stream

__all__ = ["PLANES", "Found", "Plane", "PlaneBatches", "PlaneGenerator", "plane_discriminator"]


GOOD = 3  # standard deviations from a mode within which a sample is good


class Found(NamedTuple):
    modes: int
    """Modes with at least one good sample for every 50 that an even share would bring."""
    good: float
    """Share of the samples that lie within three standard deviations of a mode."""


@dataclass(frozen=True)
class Plane:
    modes: NDArray[np.float64]
    """Centres (K, 2)."""
    std: float

    def draw(self, n: int, random: np.random.Generator) -> NDArray[np.float32]:
        """n points (n, 2), every mode equally likely."""
        centres = self.modes[random.integers(0, len(self.modes), n)]
        return (centres + self.std * random.standard_normal((n, 2))).astype(np.float32)

    def judge(self, points: NDArray[np.float32]) -> Found:
        """What a set of samples (N, 2) has of the mixture."""
        apart = np.linalg.norm(points[:, None] - self.modes[None], axis=2)  # (N, K)
        nearest, good = apart.argmin(1), apart.min(1) <= GOOD * self.std
        counts = np.bincount(nearest[good], minlength=len(self.modes))
        enough = max(1.0, len(points) / len(self.modes) / 50)
        return Found(int((counts >= enough).sum()), float(good.mean()))


def _ring() -> Plane:
    angles = np.arange(8) * np.pi / 4
    return Plane(2 * np.stack([np.cos(angles), np.sin(angles)], 1), 0.1)


def _grid() -> Plane:
    side = np.arange(-4.0, 5.0, 2.0)
    return Plane(np.stack(np.meshgrid(side, side), 2).reshape(-1, 2), 0.1)


PLANES = {"ring8": _ring(), "grid25": _grid()}


class PlaneBatches:
    """Points as the training loop takes images: what stands where is a function of seed and position."""

    def __init__(self, plane: Plane, seed: int) -> None:
        self.plane, self.seed = plane, seed

    def take(self, first: int, count: int, part: slice = slice(None)) -> Batch:
        """`count` points from position `first`; of these, those in `part`. Float (N, 2)."""
        points = self.plane.draw(count, stream(self.seed, Purpose.ORDER, first))
        return Batch(torch.from_numpy(points[part]), None)


class PlaneGenerator(nn.Module):
    """z (N, Z) to points (N, 2)."""

    def __init__(self, latent_dim: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_hidden(latent_dim, width), nn.Linear(width, 2))

    def forward(self, z: Tensor, _labels: Tensor | None = None) -> Tensor:
        points: Tensor = self.layers(z)
        return points


class Logit(nn.Module):
    """Features (N, A) to logits (N,)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def forward(self, x: Tensor, _labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.linear(x)
        return logits.squeeze(1)


def plane_discriminator(width: int) -> Discriminator:
    """Points (N, 2) to logits (N,)."""
    return Discriminator(_hidden(2, width), Logit(width))


def _hidden(inputs: int, width: int) -> list[nn.Module]:
    """Three hidden layers."""
    return [layer for before in (inputs, width, width) for layer in (nn.Linear(before, width), nn.LeakyReLU(0.2))]
