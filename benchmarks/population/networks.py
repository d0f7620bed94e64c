"""Networks as people write them, for square images of 16 to 64 pixels; none of them is Ganglion's."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

__all__ = [
    "ConvCritic",
    "ConvGenerator",
    "DenseDiscriminator",
    "DenseGenerator",
    "ImageToImage",
    "PatchDiscriminator",
    "ResizeGenerator",
    "tutorial_weights",
]


def tutorial_weights(layer: nn.Module) -> None:
    """N(0, 0.02), as the public DCGAN tutorials have it."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
        nn.init.zeros_(layer.bias)


class ConvGenerator(nn.Module):
    """Transposed convolutions from 4x4: z (N, Z, 1, 1) to (N, C, S, S). With classes, an embedding is appended to z."""

    def __init__(self, z: int, channels: int, size: int, width: int, last: nn.Module, classes: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, classes) if classes else None
        doublings = int(math.log2(size // 4))
        maps = [width * 2**i for i in range(doublings)][::-1]
        layers: list[nn.Module] = [nn.ConvTranspose2d(z + classes, maps[0], 4, bias=False)]
        for before, after in zip(maps, [*maps[1:], channels], strict=True):
            layers += [
                nn.BatchNorm2d(before),
                nn.ReLU(True),
                nn.ConvTranspose2d(before, after, 4, 2, 1, bias=after == channels),
            ]
        self.main = nn.Sequential(*layers, last)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            z = torch.cat([z.flatten(1), self.embedding(labels)], 1)[:, :, None, None]
        out: Tensor = self.main(z)
        return out


class ConvCritic(nn.Module):
    """Strided convolutions to 4x4, then one number: (N, C, S, S) to (N,). `norm`: batch, instance, spectral or none."""

    def __init__(
        self, channels: int, size: int, width: int, norm: str = "batch", sigmoid: bool = False, classes: int = 0
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, size * size) if classes else None
        self.size = size
        spectral = nn.utils.parametrizations.spectral_norm if norm == "spectral" else (lambda layer: layer)
        maps = [channels + (1 if classes else 0), *(width * 2**i for i in range(int(math.log2(size // 4))))]
        layers: list[nn.Module] = []
        for depth, (before, after) in enumerate(itertools.pairwise(maps)):
            layers.append(spectral(nn.Conv2d(before, after, 4, 2, 1)))
            if depth and norm in ("batch", "instance"):
                layers.append(nn.BatchNorm2d(after) if norm == "batch" else nn.InstanceNorm2d(after, affine=True))
            layers.append(nn.LeakyReLU(0.2, True))
        self.main = nn.Sequential(*layers, spectral(nn.Conv2d(maps[-1], 1, 4)), *([nn.Sigmoid()] if sigmoid else []))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            plane = self.embedding(labels).view(-1, 1, self.size, self.size)
            images = torch.cat([images, plane], 1)
        out: Tensor = self.main(images)
        return out.view(-1)


class ResizeGenerator(nn.Module):
    """A linear layer, then enlarging and 3x3 convolutions: z (N, Z) to (N, C, S, S)."""

    def __init__(self, z: int, channels: int, size: int, width: int, last: nn.Module) -> None:
        super().__init__()
        self.start, self.width = size // 4, width
        self.l1 = nn.Linear(z, 2 * width * self.start**2)
        self.conv_blocks = nn.Sequential(
            nn.BatchNorm2d(2 * width),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width, 0.8),
            nn.LeakyReLU(0.2, True),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(2 * width, width, 3, padding=1),
            nn.BatchNorm2d(width, 0.8),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(width, channels, 3, padding=1),
            last,
        )

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.conv_blocks(self.l1(z).view(len(z), 2 * self.width, self.start, self.start))
        return out


class DenseGenerator(nn.Module):
    """Fully connected: z (N, Z) to (N, C, S, S)."""

    def __init__(self, z: int, channels: int, size: int, width: int, last: nn.Module) -> None:
        super().__init__()
        self.shape = channels, size, size
        self.model = nn.Sequential(
            nn.Linear(z, width), nn.LeakyReLU(0.2, True),
            nn.Linear(width, 2 * width), nn.BatchNorm1d(2 * width, 0.8), nn.LeakyReLU(0.2, True),
            nn.Linear(2 * width, 4 * width), nn.BatchNorm1d(4 * width, 0.8), nn.LeakyReLU(0.2, True),
            nn.Linear(4 * width, channels * size * size), last,
        )  # fmt: skip

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.model(z)
        return out.view(len(out), *self.shape)


class DenseDiscriminator(nn.Module):
    """Fully connected: (N, C, S, S) to probabilities (N, 1)."""

    def __init__(self, channels: int, size: int, width: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(channels * size * size, 2 * width), nn.LeakyReLU(0.2, True),
            nn.Linear(2 * width, width), nn.LeakyReLU(0.2, True), nn.Linear(width, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.model(images.flatten(1))
        return out


class ImageToImage(nn.Module):
    """A small U-net: (N, C, S, S) to (N, C, S, S)."""

    def __init__(self, channels: int, width: int, last: nn.Module) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(channels, width, 4, 2, 1)
        self.down2 = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(width, 2 * width, 4, 2, 1), nn.BatchNorm2d(2 * width))
        self.down3 = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(2 * width, 4 * width, 4, 2, 1))
        self.up3 = nn.Sequential(
            nn.ReLU(), nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1), nn.BatchNorm2d(2 * width), nn.Dropout(0.5)
        )
        self.up2 = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(4 * width, width, 4, 2, 1), nn.BatchNorm2d(width))
        self.up1 = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * width, channels, 4, 2, 1), last)

    def forward(self, x: Tensor) -> Tensor:
        one = self.down1(x)
        two = self.down2(one)
        up = self.up3(self.down3(two))
        up = self.up2(torch.cat([up, two], 1))
        out: Tensor = self.up1(torch.cat([up, one], 1))
        return out


class PatchDiscriminator(nn.Module):
    """Pairs of images, each (N, C, S, S), to a map of logits (N, 1, S/4 - 1, S/4 - 1)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(2 * channels, width, 4, 2, 1), nn.LeakyReLU(0.2, True),
            nn.Conv2d(width, 2 * width, 4, 2, 1), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2, True),
            nn.Conv2d(2 * width, 1, 4, 1, 1),
        )  # fmt: skip

    def forward(self, given: Tensor, images: Tensor) -> Tensor:
        out: Tensor = self.model(torch.cat([given, images], 1))
        return out


def coarse(images: Tensor) -> Tensor:
    """What an image-to-image network is given: images (N, C, S, S) at a quarter of their size, enlarged."""
    return interpolate(interpolate(images, scale_factor=0.25, mode="area"), scale_factor=4.0, mode="nearest")
