"""What an augmentation does to images, for a person to look at."""

from __future__ import annotations

import torch
from torch import Tensor

from ganglion.augment.present import present
from ganglion.recipe.augment import Augment
from ganglion.streams import Purpose, stream

__all__ = ["variants"]


def variants(images: Tensor, augment: Augment, count: int, strength: float, seed: int = 0) -> Tensor:
    """Each of the images (N, C, H, W) in [-1, 1], followed by `count` augmented copies of it: (N * (1 + count), C, H, W).

    `strength` is the probability of each change under ADA, in [0, 1].
    """
    random = torch.Generator(images.device).manual_seed(int(stream(seed, Purpose.STEP).integers(2**63)))
    power = torch.tensor(strength, device=images.device)
    copies = [present(images, augment, power, 0.0, random) for _ in range(count)]
    return torch.stack([images, *copies], 1).flatten(0, 1)  # (N, 1 + count, C, H, W), then rows by image
