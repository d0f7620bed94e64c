"""The first convolution of D and the last of G, between feature maps and the few channels of an image, fast on a CPU.

oneDNN has no fast kernel for a strided transposed convolution to 1 to 4 channels, which is G's last layer and the gradient
of D's first one: it takes 7 to 8 times as long as its operations would need. A convolution of kernel 4 and stride 2 is equal to
one of kernel 2 and stride 1 on an image whose 2x2 blocks of pixels are stacked as channels. Weights are those of PyTorch's
layers. On other devices these layers are PyTorch's.
N images, C channels, H height, W width, F feature maps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, pixel_shuffle, pixel_unshuffle

__all__ = ["MOST_CHANNELS", "ImageConv2d", "ImageConvTranspose2d", "image_conv2d", "image_conv_transpose2d"]

MOST_CHANNELS = 4
"""With more, PyTorch's layers are as fast."""


class ImageConv2d(nn.Conv2d):
    """nn.Conv2d of kernel 4, stride 2 and padding 1, of images of even height and width."""

    def forward(self, x: Tensor) -> Tensor:
        return image_conv2d(x, self.weight, self.bias) if x.device.type == "cpu" else super().forward(x)


class ImageConvTranspose2d(nn.ConvTranspose2d):
    """nn.ConvTranspose2d of kernel 4, stride 2 and padding 1."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        if x.device.type != "cpu" or output_size is not None:
            return super().forward(x, output_size)
        return image_conv_transpose2d(x, self.weight, self.bias)


def image_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Images (N, C, H, W) and a kernel (F, C, 4, 4), stride 2 and padding 1: (N, F, H/2, W/2)."""
    maps, channels = weight.shape[:2]
    # row 2a + b of the kernel is at row a of the blocks and at row b within its block; columns likewise
    blocks = weight.reshape(maps, channels, 2, 2, 2, 2).permute(0, 1, 3, 5, 2, 4)  # (F, C, b, b, a, a)
    stacked_weight = blocks.reshape(maps, 4 * channels, 2, 2).contiguous(memory_format=torch.channels_last)
    stacked = pixel_unshuffle(pad(x, (1, 1, 1, 1)), 2)  # (N, 4C, H/2 + 1, W/2 + 1)
    return conv2d(stacked.contiguous(memory_format=torch.channels_last), stacked_weight, bias)  # (N, F, H/2, W/2)


def image_conv_transpose2d(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Maps (N, F, H, W) and a transposed kernel (F, C, 4, 4), stride 2 and padding 1: images (N, C, 2H, 2W)."""
    maps, channels = weight.shape[:2]
    blocks = weight.reshape(maps, channels, 2, 2, 2, 2).permute(1, 3, 5, 0, 2, 4)  # (C, b, b, F, a, a)
    stacked_weight = blocks.reshape(4 * channels, maps, 2, 2).flip(2, 3).contiguous(memory_format=torch.channels_last)
    stacked = conv2d(x, stacked_weight, None if bias is None else bias.repeat_interleave(4), padding=1)
    return pixel_shuffle(stacked, 2)[:, :, 1:-1, 1:-1]  # (N, 4C, H + 1, W + 1) to (N, C, 2H, 2W)
