"""SqueezeNet 1.1 with its ImageNet weights, as a frozen feature network (Iandola et al. 2016, arXiv 1602.07360).

Its weights are constants, kept in buffers that are not saved: no optimiser, initialisation, average or checkpoint has them.
N images, H height, W width.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, pad

from ganglion.metrics.squeezenet_weights import pretrained_weights

__all__ = ["SqueezeNet", "pretrained_squeezenet"]


FIRES = (
    (64, 16, 128),
    (128, 16, 128),
    (128, 32, 256),
    (256, 32, 256),
    (256, 48, 384),
    (384, 48, 384),
    (384, 64, 512),
    (512, 64, 512),
)
"""Feature maps before, within and after the modules fire2 to fire9."""
POOLED_BEFORE = ("fire2", "fire4", "fire6")
CLASSES = 1000
MEANS = (123.68, 116.779, 103.939)
"""Of red, green and blue in ImageNet, on 0 to 255, as subtracted in training with Caffe."""


class Constant(nn.Module):
    """A convolution whose weights are constants."""

    def __init__(self, before: int, after: int, side: int) -> None:
        super().__init__()
        self.weight: Tensor
        self.bias: Tensor
        self.padding = side // 2
        self.register_buffer("weight", torch.zeros(after, before, side, side), persistent=False)
        self.register_buffer("bias", torch.zeros(after), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.weight, self.bias, padding=self.padding)


class First(Constant):
    """3x3 at every second pixel: the first window begins at the first pixel of an even side, one before that of an odd one."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        return conv2d(pad(x, (width % 2, 1, height % 2, 1)), self.weight, self.bias, stride=2)


class Fire(nn.Module):
    """1x1 to few feature maps, then 1x1 and 3x3 side by side, each followed by ReLU."""

    def __init__(self, before: int, within: int, after: int) -> None:
        super().__init__()
        self.squeeze1x1 = Constant(before, within, 1)
        self.expand1x1 = Constant(within, after // 2, 1)
        self.expand3x3 = Constant(within, after // 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        few = self.squeeze1x1(x).relu_()
        return torch.cat([self.expand1x1(few), self.expand3x3(few)], 1).relu_()


class SqueezeNet(nn.Module):
    """Images (N, 1 or 3, H, W) in [-1, 1], sides of 16 pixels or more, to logits (N, 1000) of ImageNet's classes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = First(3, 64, 3)
        self.fires = nn.ModuleDict({f"fire{number}": Fire(*maps) for number, maps in enumerate(FIRES, start=2)})
        self.conv10 = Constant(FIRES[-1][2], CLASSES, 1)
        self.means: Tensor
        self.register_buffer("means", torch.tensor(MEANS)[:, None, None] - 127.5, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.conv10(self.features(images)).relu_().mean((2, 3))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """The last feature maps (N, 512, h, w), at 1/16 of the image's sides."""
        x: Tensor = self.conv1(127.5 * images - self.means).relu_()  # gray becomes three equal channels
        for name, fire in self.fires.items():
            x = fire(max_pool2d(x, 3, 2, ceil_mode=True) if name in POOLED_BEFORE else x)
        return x

    def fill(self, weights: Mapping[str, Tensor]) -> None:
        """Sets the constants, named as in `pretrained_weights`."""
        layers = {"conv1": self.conv1, "conv10": self.conv10}
        for name, fire in self.fires.items():
            layers |= {f"{name}/{part}": cast(Constant, layer) for part, layer in fire.named_children()}
        for name, layer in layers.items():
            layer.weight.copy_(weights[f"{name}.weight"])
            layer.bias.copy_(weights[f"{name}.bias"])


def pretrained_squeezenet(cache: Path | None = None) -> SqueezeNet:
    """The network with its ImageNet weights, in eval mode. `cache` is the folder in which they are kept, by default the
    user's. Raises DataError where the package with the weights is missing.
    """
    network = SqueezeNet()
    network.fill(pretrained_weights(cache))
    return network.eval()
