"""Where uint8 becomes float and back: once each way, for the whole project.

Inside, images are float (N, C, H, W) in [-1, 1]; at every edge they are uint8 (N, H, W, C). What alpha does to the colours of
RGBA images, and at which edge, is in alpha.py.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

__all__ = ["halved", "to_float", "to_uint8"]


def to_float(pixels_nhwc: Tensor) -> Tensor:
    """uint8 (N, H, W, C) as float32 (N, C, H, W) in [-1, 1], in channels-last memory: 0 is -1, 255 is 1.

    It multiplies, since CUDA divides by a number by multiplying with its inverse: the bits are the same on each device.
    """
    return pixels_nhwc.permute(0, 3, 1, 2).float().mul_(1 / 127.5).sub_(1)  # (N, C, H, W)


def to_uint8(images_nchw: Tensor) -> Tensor:
    """Float (N, C, H, W) as uint8 (N, H, W, C), rounded to nearest, clipped to [-1, 1]. The inverse of `to_float`."""
    levels = images_nchw.detach().float().add(1).mul(127.5).round_().clamp_(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()  # (N, H, W, C)


def halved(images: Tensor, times: int) -> Tensor:
    """Images (N, C, H, W) at (N, C, H / 2**times, W / 2**times): means of squares of pixels."""
    return avg_pool2d(images, 2**times) if times else images
