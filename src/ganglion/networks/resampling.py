"""How feature maps double and halve their height and width.

A transposed convolution of stride 2 gives each of the four pixels of a 2x2 block weights of its own, so that flat areas come
out as grids (Odena et al. 2016). Enlarging first and convolving then treats all four alike. Both steps are one transposed
convolution with a kernel made of the 3x3 one (Karras et al. 2018, arXiv 1710.10196), which costs no more than a free one;
likewise a convolution and the mean of its 2x2 blocks of pixels.
N images, C channels, H height, W width, F feature maps.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad, pixel_shuffle

from ganglion.networks.few_channels import (
    MOST_CHANNELS,
    ImageConv2d,
    ImageConvTranspose2d,
    image_conv2d,
    image_conv_transpose2d,
)
from ganglion.recipe.networks import Downsampling, Upsampling

__all__ = ["DOWNSAMPLINGS", "UPSAMPLINGS", "AveragedConv2d", "BilinearConv2d", "NearestConv2d", "SubPixel"]


class _OverBlocks(nn.Conv2d):
    """A 3x3 convolution with padding 1 before or after a step between pixels and 2x2 blocks of them, as one of kernel 4."""

    flipped: bool
    scale: float

    def __init__(self, before: int, after: int, bias: bool = True) -> None:
        super().__init__(before, after, 3, padding=1, bias=bias)
        self.spread: Tensor
        self.register_buffer("spread", _spread(self.flipped) * self.scale, persistent=False)

    def kernel(self) -> Tensor:
        """The 3x3 kernel convolved with 2x2 ones: (F', F, 4, 4). A matrix product, which autocast makes one of bf16."""
        after, before = self.weight.shape[:2]
        taps = self.spread @ self.weight.permute(1, 2, 3, 0).reshape(before, 9, after)  # (F, 16, F')
        return taps.view(before, 4, 4, after).permute(3, 0, 1, 2)


class NearestConv2d(_OverBlocks):
    """Nearest-neighbour enlargement of maps (N, F, H, W) to (N, F, 2H, 2W), then a 3x3 convolution with padding 1."""

    flipped, scale = True, 1.0

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.kernel().transpose(0, 1)
        if self.out_channels <= MOST_CHANNELS and x.device.type == "cpu":
            return image_conv_transpose2d(x, kernel, self.bias)
        return conv_transpose2d(x, kernel.contiguous(memory_format=torch.channels_last), self.bias, stride=2, padding=1)


class AveragedConv2d(_OverBlocks):
    """A 3x3 convolution with padding 1 of maps (N, F, H, W), then the mean of 2x2 pixels: (N, F', H/2, W/2)."""

    flipped, scale = False, 0.25

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.kernel()
        if self.in_channels <= MOST_CHANNELS and x.device.type == "cpu":
            return image_conv2d(x, kernel, self.bias)
        return conv2d(x, kernel.contiguous(memory_format=torch.channels_last), self.bias, stride=2, padding=1)


def _spread(flipped: bool) -> Tensor:
    """(16, 9): which taps of a 3x3 kernel, or of it turned by 180 degrees, meet in each tap of its sum over 2x2 shifts."""
    taps = torch.eye(9).view(9, 3, 3)
    rows = pad(taps, (0, 0, 0, 1)) + pad(taps, (0, 0, 1, 0))
    spread = (pad(rows, (0, 1)) + pad(rows, (1, 0))).flatten(1).T  # (16, 9)
    return spread.flip(1).contiguous() if flipped else spread.contiguous()


class BilinearConv2d(NearestConv2d):
    """Bilinear enlargement of maps (N, F, H, W) to (N, F, 2H, 2W), then a 3x3 convolution with padding 1.

    Bilinear enlargement is nearest-neighbour enlargement and then a blur by (1, 2, 1) / 4, which can as well come after the
    convolution, where there are fewer maps. At the border weights are those inside the image, so that they sum to 1.
    """

    def __init__(self, before: int, after: int, bias: bool = True) -> None:
        super().__init__(before, after, bias)
        self.blur: Tensor
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("blur", (line[:, None] * line)[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        inside = conv2d(x.new_ones(1, 1, *x.shape[2:]), self.blur, padding=1)
        blurred: Tensor = conv2d(x, self.blur.expand(x.shape[1], 1, 3, 3), groups=x.shape[1], padding=1) / inside
        return blurred


class SubPixel(nn.Module):
    """A convolution to four times the maps, which are laid out as 2x2 pixels. Shi et al. 2016, arXiv 1609.05158.

    Its first weights are equal for the four pixels (Aitken et al. 2017, arXiv 1707.02937), so that no grid is there at first.
    """

    def __init__(self, before: int, after: int, bias: bool) -> None:
        super().__init__()
        self.layer = nn.Conv2d(before, 4 * after, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return pixel_shuffle(self.layer(x), 2)

    def adjust_first_weights(self) -> None:
        self.layer.weight.copy_(self.layer.weight[::4].repeat_interleave(4, 0))


def _transposed(before: int, after: int, bias: bool) -> nn.Module:
    layer = ImageConvTranspose2d if after <= MOST_CHANNELS else nn.ConvTranspose2d
    return layer(before, after, 4, 2, 1, bias=bias)


def _strided(before: int, after: int, bias: bool) -> nn.Module:
    layer = ImageConv2d if before <= MOST_CHANNELS else nn.Conv2d
    return layer(before, after, 4, 2, 1, bias=bias)


DOWNSAMPLINGS: dict[Downsampling, Callable[[int, int, bool], nn.Module]] = {
    "strided": _strided,
    "averaged": AveragedConv2d,
}
"""By the recipe's word: (maps before, maps after, whether it has a bias) to a layer that halves height and width."""

UPSAMPLINGS: dict[Upsampling, Callable[[int, int, bool], nn.Module]] = {
    "transposed": _transposed,
    "nearest": NearestConv2d,
    "bilinear": BilinearConv2d,
    "sub-pixel": SubPixel,
}
"""By the recipe's word: (maps before, maps after, whether it has a bias) to a layer that doubles height and width."""
