"""Features of a convolutional network that was never trained: nothing to download, nothing to wait for.

Random convolutions keep enough of an image to tell nearer from further sets (Naeem et al. 2020, arXiv 2002.09797,
section 4.2, propose them where no pretrained network fits), so they rank generators on one data set; how far apart two
numbers are means little. C channels.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from ganglion.metrics.extractor import Extractor, Seen, weights_hash
from ganglion.streams import Purpose, stream

__all__ = ["random_extractor"]

WIDTHS = (32, 64, 128)
KERNEL = 5
LEAST_SIDE = 4


class RandomConvolutions(nn.Module):
    """(N, C, H, W) to mean and deviation of each channel over the positions of each layer, (N, 448)."""

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
            found += [images.mean((2, 3)), images.std((2, 3), correction=0)]
            if min(images.shape[2:]) < LEAST_SIDE:
                break
        return torch.cat(found, 1)


def random_extractor(channels: int, device: torch.device) -> Extractor:
    """Random convolutions for images of `channels` channels."""
    network = RandomConvolutions(channels).eval().requires_grad_(False).to(device)
    return Extractor(
        "random", weights_hash(network.state_dict()), "random convolutions, never trained: good for ranking only",
        lambda images: Seen(network(images), None), device,
    )  # fmt: skip
