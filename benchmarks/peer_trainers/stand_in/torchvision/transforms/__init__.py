"""Transforms by torchvision's names and defaults: Pillow images in, Pillow images or float tensors (C, H, W) out."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from torchvision.transforms import functional

__all__ = [
    "CenterCrop", "Compose", "Grayscale", "Lambda", "Normalize", "RandomHorizontalFlip", "RandomResizedCrop", "Resize",
    "ToPILImage", "ToTensor", "functional",
]  # fmt: skip


class Compose:
    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, image: Any) -> Any:
        for transform in self.transforms:
            image = transform(image)
        return image


class Grayscale:
    """To one channel."""

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.convert("L")


class Lambda:
    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        self.lambd = lambd

    def __call__(self, image: Any) -> Any:
        return self.lambd(image)


class Resize:
    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = size

    def __call__(self, image: Image.Image) -> Image.Image:
        return functional.resize(image, self.size)


class CenterCrop:
    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, image: Image.Image) -> Image.Image:
        left, top = (round((side - self.size) / 2) for side in image.size)
        return image.crop((left, top, left + self.size, top + self.size))


class RandomResizedCrop:
    """Defined where a pipeline is built; the defaults of the peers never call it."""

    def __init__(self, size: int, scale: Sequence[float], ratio: Sequence[float]) -> None:
        self.size, self.scale, self.ratio = size, scale, ratio

    def __call__(self, image: Image.Image) -> Image.Image:
        area = image.width * image.height * random.uniform(*self.scale)
        ratio = math.exp(random.uniform(*map(math.log, self.ratio)))
        width, height = (
            min(image.width, round(math.sqrt(area * ratio))),
            min(image.height, round(math.sqrt(area / ratio))),
        )
        left, top = random.randint(0, image.width - width), random.randint(0, image.height - height)
        return functional.resize(image.crop((left, top, left + width, top + height)), (self.size, self.size))


class RandomHorizontalFlip:
    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < self.p else image


class ToTensor:
    def __call__(self, image: Image.Image) -> Tensor:
        return functional.to_tensor(image)


class ToPILImage:
    def __call__(self, tensor: Tensor) -> Image.Image:
        return functional.to_pil_image(tensor)


class Normalize:
    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean, self.std = (torch.tensor(values).view(-1, 1, 1) for values in (mean, std))

    def __call__(self, tensor: Tensor) -> Tensor:
        return (tensor - self.mean) / self.std
