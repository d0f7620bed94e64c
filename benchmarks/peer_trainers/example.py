"""The loop that tutorials of DCGAN have, with their networks at 64x64, and with one stage less at 32x32.

float32, a Pillow decode and resize for each image, D's weights not frozen in the G phase, `.item()` at every step.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from peer_trainers.job import Job, as_uint8, image_folder
from peer_trainers.meter import Meter

__all__ = ["train_example"]

Z, WIDTH, BATCH = 100, 64, 64


def generator(size: int, channels: int) -> nn.Sequential:
    wide = WIDTH * size // 8
    layers: list[nn.Module] = [nn.ConvTranspose2d(Z, wide, 4, 1, 0, bias=False), nn.BatchNorm2d(wide), nn.ReLU(True)]
    while wide > WIDTH:
        layers += [nn.ConvTranspose2d(wide, wide // 2, 4, 2, 1, bias=False), nn.BatchNorm2d(wide // 2), nn.ReLU(True)]
        wide //= 2
    return nn.Sequential(*layers, nn.ConvTranspose2d(WIDTH, channels, 4, 2, 1, bias=False), nn.Tanh())


def discriminator(size: int, channels: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(channels, WIDTH, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    wide = WIDTH
    while wide < WIDTH * size // 8:
        layers += [nn.Conv2d(wide, wide * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(wide * 2), nn.LeakyReLU(0.2, True)]
        wide *= 2
    return nn.Sequential(*layers, nn.Conv2d(wide, 1, 4, 1, 0, bias=False), nn.Sigmoid(), nn.Flatten(0))


def initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
        nn.init.zeros_(layer.bias)


def train_example(job: Job, meter: Meter) -> None:
    meter.start()
    G, D = generator(job.size, job.channels).apply(initialise), discriminator(job.size, job.channels).apply(initialise)
    optimizer_g = torch.optim.Adam(G.parameters(), 2e-4, (0.5, 0.999))
    optimizer_d = torch.optim.Adam(D.parameters(), 2e-4, (0.5, 0.999))

    def sample(n: int) -> NDArray[np.uint8]:
        with torch.no_grad():
            images = G.eval()(torch.randn(n, Z, 1, 1))
        G.train()
        return as_uint8(images, -1)

    meter.watch(optimizer_g, sample)
    loader = DataLoader(image_folder(job), BATCH, shuffle=True, num_workers=0)
    while True:
        for real, _ in loader:
            step(G, D, optimizer_g, optimizer_d, real)


def step(
    G: nn.Module, D: nn.Module, optimizer_g: torch.optim.Optimizer, optimizer_d: torch.optim.Optimizer, real: Tensor
) -> tuple[float, float, float]:
    criterion, ones = nn.BCELoss(), torch.ones(len(real))
    D.zero_grad()
    of_real = criterion(D(real), ones)
    of_real.backward()
    fake = G(torch.randn(len(real), Z, 1, 1))
    of_fake = criterion(D(fake.detach()), torch.zeros(len(real)))
    of_fake.backward()
    optimizer_d.step()
    G.zero_grad()
    of_g = criterion(D(fake), ones)
    of_g.backward()
    optimizer_g.step()
    return of_real.item(), of_fake.item(), of_g.item()
