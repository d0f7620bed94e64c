"""Small fully connected networks for points in the plane: a test bed of seconds for losses and penalties."""

from __future__ import annotations

from torch import Tensor, nn

from ganglion.networks.discriminator import Discriminator

__all__ = ["PlaneGenerator", "plane_discriminator"]


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
