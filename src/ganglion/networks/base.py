"""What every family's G and D have in common: blocks in a row, classes, a reference batch, features on the way.

N images, C channels, H height, W width, Z latent dimension, E length of a class embedding, A features of an image. Labels are
classes, int64 (N,), or condition vectors, float (N, K): a class is a vector with one 1, so both have a table of K rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganglion.networks.layers import MINIBATCH, VirtualBatchNorm2d, embed
from ganglion.recipe.networks import MinibatchName

__all__ = ["Discriminator", "Generator", "Head", "changing_buffers", "has_batch_norm"]


LARGEST_EMBEDDING = 64


def changing_buffers(module: nn.Module) -> dict[str, Tensor]:
    """A module's own buffers that a checkpoint keeps; the others are constants."""
    found = {name: buffer for name, buffer in module._buffers.items() if buffer is not None}
    return {name: buffer for name, buffer in found.items() if name not in module._non_persistent_buffers_set}


def has_batch_norm(network: nn.Module) -> bool:
    """Batch normalisation of any dimension, also over processes."""
    return any(isinstance(module, _BatchNorm) for module in network.modules())


class Generator(nn.Module):
    """z (N, Z), and labels where there are `classes` (K), to images (N, C, H, W) in [-1, 1].

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
        if self.reference is not None:
            z = torch.cat([self.reference, z])  # (R+N, Z)
            labels = (
                None if self.reference_labels is None or labels is None else torch.cat([self.reference_labels, labels])
            )
        x = self.first_maps(z, labels)
        for block in self.blocks:
            x = block(x, labels)
        return torch.tanh(x if self.reference is None else x[len(self.reference) :])

    def first_maps(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """The feature maps of the base grid."""
        if (labels is None) != (self.classes == 0):
            raise ValueError("labels are given exactly where the generator has classes")
        if self.embedding is not None:
            z = torch.cat([z, embed(self.embedding, labels)], 1)  # (N, Z+E)
        maps: Tensor = self.stem(z)
        return maps


class Head(nn.Module):
    """Feature maps (N, C, H, W) to logits (N,), from all places of the grid or from their sum.

    With classes, the projection of Miyato and Koyama 2018 (arXiv 1802.05637, equation 3): the inner product of the
    class's vector, or of a linear map of the condition vector, with the feature maps' mean is added; or with all features, see
    `project_places`.
    """

    def __init__(
        self,
        maps: int,
        grid: tuple[int, int],
        classes: int = 0,
        minibatch: MinibatchName = "none",
        pooled: bool = False,
    ) -> None:
        super().__init__()
        self.pooled = pooled
        features = maps if pooled else maps * grid[0] * grid[1]
        likeness = MINIBATCH[minibatch]
        self.likeness = likeness(features) if likeness else None
        self.linear = nn.Linear(features + (self.likeness.out if self.likeness else 0), 1)
        self.projection = nn.Embedding(classes, maps) if classes else None

    def project_places(self) -> None:
        """Has the projection see every feature in its place, in a head that is not pooled, instead of the maps' mean.

        For attributes, which may be about places: under the mean, whether something is left or right is learned slowly.
        """
        if self.projection is not None and not self.pooled:
            features = self.linear.in_features - (self.likeness.out if self.likeness else 0)
            self.projection = nn.Embedding(self.projection.num_embeddings, features)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        # (N, A): a sum over places, or all of them in the order of channels-last memory, which makes it a view
        features = x.sum((2, 3)) if self.pooled else x.permute(0, 2, 3, 1).flatten(1)
        seen = (
            features if self.likeness is None else torch.cat([features, self.likeness(features).to(features.dtype)], 1)
        )
        logits: Tensor = self.linear(seen).squeeze(1)  # (N,)
        if self.projection is None:
            return logits
        projected = x.mean((2, 3)) if self.projection.embedding_dim == x.shape[1] else features
        agreement: Tensor = (embed(self.projection, labels) * projected).sum(1)  # (N,)
        return logits + agreement


class Discriminator(nn.Module):
    """Images (N, C, H, W), and labels where there are `classes` (K), to logits (N,)."""

    def __init__(self, blocks: Sequence[nn.Module], head: nn.Module, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        self.blocks = nn.ModuleList(blocks)
        self.head = head
        self.reference: Tensor | None
        self.register_buffer("reference", None)

    @property
    def needs_reference(self) -> bool:
        return any(isinstance(layer, VirtualBatchNorm2d) for layer in self.modules())

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.trace(images, labels)[0]

    def trace(self, images: Tensor, labels: Tensor | None = None, layer: int | str = -1) -> tuple[Tensor, Tensor]:
        """Logits (N,) and the features after block `layer`, flat (N, A), in one pass. Raises IndexError for no such block."""
        self.check_labels(labels)
        wanted = range(len(self.blocks))[int(layer)]
        last = features = images
        for number, last in enumerate(self.features(images), start=self.first_block(images)):
            features = last if number == wanted else features
        logits: Tensor = self.head(last, labels)
        return logits, features.flatten(1)

    def check_labels(self, labels: Tensor | None) -> None:
        """Raises ValueError where labels are missing, or there are none to tell."""
        if (labels is None) != (self.classes == 0):
            raise ValueError("labels are given exactly where the discriminator has classes")

    def first_block(self, images: Tensor) -> int:  # noqa: ARG002 (families that see images of several sizes)
        """The number of the block that images (N, C, H, W) of this size enter."""
        return 0

    def features(self, images: Tensor, labels: Tensor | None = None) -> Iterator[Tensor]:  # noqa: ARG002 (others use them)
        """What each block makes of the images (N, C, H, W), one block after another, without the reference batch.

        Labels change nothing: the class of an image enters in the head.
        """
        first = 0 if self.reference is None else len(self.reference)
        x = images if self.reference is None else torch.cat([self.reference, images])  # (R+N, C, H, W)
        for block in self.blocks:
            x = block(x)
            yield x[first:] if first else x
