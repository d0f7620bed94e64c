"""What an exported file computes: z, labels and truncation to images; images and labels to logits.

N images, C channels, H height, W width, Z latent dimension, K numbers of a condition vector, A features.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ganglion.data.alpha import ALPHA, RGBA
from ganglion.data.pixels import to_uint8
from ganglion.networks.few_channels import ImageConv2d, ImageConvTranspose2d
from ganglion.networks.layers import GROUP, MinibatchStddev, widened
from ganglion.recipe.schema import Latent, Prior

__all__ = [
    "NORMALISATIONS",
    "OUTPUTS",
    "ConditionalDiscriminatorGraph",
    "ConditionalGeneratorGraph",
    "DiscriminatorGraph",
    "GeneratorGraph",
    "Output",
    "exportable",
    "straight_alpha",
]

Output = Literal["uint8", "float"]


def _on_sphere(z: Tensor) -> Tensor:
    length: Tensor = z.square().sum(1, keepdim=True).sqrt().clamp_min(1e-12)  # (N, 1)
    return z * (math.sqrt(z.shape[1]) / length)


NORMALISATIONS: dict[Prior, Callable[[Tensor], Tensor]] = {
    "normal": lambda z: z,
    "uniform": lambda z: z,
    "sphere": _on_sphere,
}
"""What makes a latent (N, Z) of a prior out of numbers that a program draws: N(0, 1), or uniform on [-1, 1) for `uniform`.

A latent of the prior stays as it is, but for rounding."""


def straight_alpha(pixels: Tensor) -> Tensor:
    """Premultiplied uint8 (N, H, W, 4) with straight alpha: `ganglion.data.alpha.straight` as tensor operations."""
    wide = pixels.to(torch.int32)
    colours, alpha = wide[..., :ALPHA], wide[..., ALPHA:]
    share = alpha.clamp_min(1)
    shown = torch.div(
        torch.minimum(colours, alpha) * 255 + share.div(2, rounding_mode="trunc"), share, rounding_mode="trunc"
    )
    return torch.cat([shown, alpha], 3).to(torch.uint8)


def _pixels(images: Tensor, straight: bool) -> Tensor:
    pixels = to_uint8(images)  # (N, H, W, C)
    return straight_alpha(pixels) if straight and pixels.shape[3] == RGBA else pixels


OUTPUTS: dict[Output, Callable[[Tensor, bool], Tensor]] = {
    "uint8": _pixels,
    "float": lambda images, straight: images,
}
"""By the option's word: (float images (N, C, H, W), whether alpha is made straight) to what the file returns."""


class _Drawing(nn.Module):
    """What both graphs of a generator hold."""

    def __init__(self, network: nn.Module, latent: Latent, output: Output, straight: bool) -> None:
        super().__init__()
        self.network, self.straight = network, straight
        self.normalise, self.output = NORMALISATIONS[latent.prior], OUTPUTS[output]

    def draw(self, z: Tensor, truncation: Tensor, *labels: Tensor) -> Tensor:
        return self.output(self.network(truncation * self.normalise(z), *labels), self.straight)


class GeneratorGraph(_Drawing):
    """z (N, Z) and truncation () to images. Truncation scales z towards 0, the mean of every prior; 1 leaves it."""

    def forward(self, z: Tensor, truncation: Tensor) -> Tensor:
        return self.draw(z, truncation)


class ConditionalGeneratorGraph(_Drawing):
    """The same with labels, int64 (N,) or float32 (N, K)."""

    def forward(self, z: Tensor, labels: Tensor, truncation: Tensor) -> Tensor:
        return self.draw(z, truncation, labels)


class DiscriminatorGraph(nn.Module):
    """Float images (N, C, H, W) in [-1, 1] to logits (N,), or (N, P) of P places."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits


class ConditionalDiscriminatorGraph(nn.Module):
    """The same with labels, int64 (N,) or float32 (N, K)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        logits: Tensor = self.network(images, labels)
        return logits


class StddevOfAnyBatch(MinibatchStddev):
    """The same statistics, with the size of the groups computed from the batch instead of chosen when the graph is captured.

    The images of a group are found by a matrix (N, N) of 0 and 1.
    """

    def forward(self, features: Tensor) -> Tensor:
        wide = widened(features)
        place = torch.arange(wide.shape[0], device=wide.device)  # (N,)
        n = torch.ones_like(place).sum()
        groups = torch.where(n % GROUP == 0, n // GROUP, 1)
        same = (place[:, None] % groups == place[None] % groups).to(wide.dtype)  # (N, N)
        share = same / same.sum(1, keepdim=True)
        centred = wide - wide.mean(0, keepdim=True)  # (N, A), so that squares stay small
        variance = share @ centred.square() - (share @ centred).square()  # (N, A)
        return (variance.clamp_min(0) + 1e-8).sqrt().mean(1, keepdim=True)  # (N, 1)


PLAIN: dict[type[nn.Module], type[nn.Module]] = {
    ImageConv2d: nn.Conv2d,  # other programs have kernels of their own for few channels
    ImageConvTranspose2d: nn.ConvTranspose2d,
    MinibatchStddev: StddevOfAnyBatch,
}
"""By a layer's class, one that computes the same and can be exported."""


def _make_constant(module: nn.Module) -> None:
    """Weights as spectral norm gives them in eval mode, in place of what they are computed from.

    PyTorch's `remove_parametrizations` takes the weight from the class as well, which a copy shares with its original.
    """
    weights = {name: getattr(module, name).detach().clone() for name in module.parametrizations}  # type: ignore[union-attr]
    module.__class__ = type(module).__bases__[0]
    del module.parametrizations
    for name, weight in weights.items():
        module.register_parameter(name, nn.Parameter(weight, requires_grad=False))


def exportable(network: nn.Module) -> nn.Module:
    """A copy on the CPU, in eval mode and float32, of layers that other programs know; the network itself is not changed."""
    plain = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    plain.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # the stub lacks this keyword
    for module in list(plain.modules()):
        if parametrize.is_parametrized(module):
            _make_constant(module)
        if (kind := PLAIN.get(type(module))) is not None:
            module.__class__ = kind
    return plain
