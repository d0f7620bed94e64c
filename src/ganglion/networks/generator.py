"""What every family's G has in common: a class beside z, a reference batch, tanh at the end.

N images, C channels, H height, W width, Z latent dimension, E numbers in a class's vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ganglion.networks.norms import VirtualBatchNorm2d

__all__ = ["Generator"]

LARGEST_EMBEDDING = 64


class Generator(nn.Module):
    """z (N, Z), and labels int64 (N,) where there are classes, to images (N, C, H, W) in [-1, 1].

    `stem(dim)` makes the layer from a vector of `dim` numbers to the first feature maps; each block maps
    (feature maps, labels) to feature maps.
    """

    def __init__(
        self,
        stem: Callable[[int], nn.Module],
        blocks: Sequence[nn.Module],
        latent_dim: int,
        classes: int = 0,
        embedded: bool = True,
    ) -> None:
        super().__init__()
        self.classes = classes
        size = min(classes, LARGEST_EMBEDDING) if embedded else 0
        self.embedding = nn.Embedding(classes, size) if size else None
        self.stem = stem(latent_dim + size)
        self.blocks = nn.ModuleList(blocks)
        self.reference: Tensor | None  # latents (R, Z) for virtual batch normalisation, and their classes (R,)
        self.reference_labels: Tensor | None
        self.register_buffer("reference", None)
        self.register_buffer("reference_labels", None)

    @property
    def needs_reference(self) -> bool:
        return any(isinstance(layer, VirtualBatchNorm2d) for layer in self.modules())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if (labels is None) != (self.classes == 0):
            raise ValueError("labels are given exactly where the generator has classes")
        if self.reference is not None:
            z = torch.cat([self.reference, z])  # (R+N, Z)
            labels = (
                None if self.reference_labels is None or labels is None else torch.cat([self.reference_labels, labels])
            )
        if self.embedding is not None:
            z = torch.cat([z, self.embedding(labels)], 1)  # (R+N, Z+E)
        x = self.stem(z)
        for block in self.blocks:
            x = block(x, labels)
        return torch.tanh(x if self.reference is None else x[len(self.reference) :])
