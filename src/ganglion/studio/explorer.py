"""Where a person is in latent space, and the pictures from there: a seed or a mix of two, moved along directions.

Independent of the page. Z dimensions, K directions, N pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.errors import DataError
from ganglion.latent.model import Label, Model
from ganglion.latent.nearby import inside, nearby
from ganglion.latent.walk import INTERPOLATIONS, path_through
from ganglion.studio.loaded import Loaded

__all__ = [
    "REACH",
    "Place",
    "Start",
    "around",
    "film",
    "label_of",
    "length",
    "mixes",
    "moved",
    "picture",
    "seeds",
    "start_at",
]

REACH = {"normal": 4.0, "sphere": 4.0, "uniform": 2.0}
"""How far a slider goes each way, along a unit vector: four standard deviations of the prior, rounded."""
LARGEST_SEED = 2**32 - 1
MOST_FRAMES = 600

Vector = NDArray[np.float32]
"""(Z,)"""
Pixels = NDArray[np.uint8]
"""(N, H, W, C)"""


@dataclass(frozen=True, eq=False)
class Start:
    """A latent that a person has chosen."""

    z: Vector
    name: str
    """As pages show it: `seed 7`."""
    seed: int
    """For the class or attributes that are not asked for."""


@dataclass(frozen=True, eq=False)
class Place:
    """A latent z: truncation times the mix of one or two starts, plus edits."""

    start: Start
    edit: Vector
    """Sum of what the sliders of other sets have moved."""
    other: Start | None = None
    share: float = 0.0
    """Of `other` in the mix, 0 to 1."""
    truncation: float = 1.0

    def z(self, model: Model, vectors: Tensor | None = None, strengths: Sequence[float] = ()) -> Tensor:
        """The latent (Z,), moved along `vectors` (K, Z) by `strengths` (K,)."""
        z = torch.from_numpy(self.start.z)
        if self.other is not None:
            z = INTERPOLATIONS[model.latent.prior](z, torch.from_numpy(self.other.z), self.share)
        z = self.truncation * z + torch.from_numpy(self.edit) + moved(vectors, strengths, len(z))
        return inside(z, model.latent.prior, self.truncation).to(model.device)

    @property
    def name(self) -> str:
        mixed = f" mixed with {self.share:.0%} of {self.other.name}" if self.other and self.share else ""
        return f"{self.start.name}{mixed}"

    def edited(self, vectors: Tensor | None, strengths: Sequence[float]) -> Place:
        """The same latent with all sliders at zero."""
        edit = torch.from_numpy(self.edit) + moved(vectors, strengths, len(self.edit))
        return replace(self, edit=edit.numpy())


def start_at(model: Model, seed: int) -> Start:
    """The latent of a seed, that of `ganglion sample --n 1 --seed SEED`. Raises DataError for one that is no seed."""
    if not 0 <= seed <= LARGEST_SEED:
        raise DataError(f"a seed is a whole number from 0 to {LARGEST_SEED:,}; got {seed:,}")
    return Start(model.latents(1, seed)[0].cpu().numpy(), f"seed {seed}", seed)


def moved(vectors: Tensor | None, strengths: Sequence[float], dim: int) -> Tensor:
    """The sum (Z,) of the first K vectors (K, Z) times strengths; zeros without any."""
    if vectors is None or not len(strengths):
        return torch.zeros(dim)
    return torch.tensor([float(one) for one in strengths[: len(vectors)]]) @ vectors[: len(strengths)].float()


def label_of(model: Model, seed: int, asked: Label | None) -> Tensor | None:
    """What the generator is conditioned on: as asked for, and else by the seed; None for one that has no classes.

    Raises DataError for a class or value that there is not.
    """
    try:
        return model.labels(1, seed, asked)
    except ValueError as error:
        raise DataError(str(error)) from None


def picture(
    loaded: Loaded,
    place: Place,
    asked: Label | None = None,
    vectors: Tensor | None = None,
    strengths: Sequence[float] = (),
) -> Pixels:
    """The picture (H, W, C) of a place."""
    label = label_of(loaded.model, place.start.seed, asked)
    pixels: Pixels = loaded.draw(place.z(loaded.model, vectors, strengths)[None], label)[0]
    return pixels


def seeds(
    loaded: Loaded, first: int, count: int, truncation: float, asked: Label | None = None
) -> tuple[list[Start], Pixels]:
    """`count` starts at the seeds from `first` on, and their pictures."""
    model = loaded.model
    starts = [start_at(model, first + i) for i in range(count)]
    z = truncation * torch.stack([torch.from_numpy(start.z) for start in starts])
    labels = [label_of(model, start.seed, asked) for start in starts]
    return starts, loaded.draw(
        z, torch.cat([one for one in labels if one is not None]) if labels[0] is not None else None
    )


def around(
    loaded: Loaded, place: Place, z: Tensor, count: int, distance: float, seed: int, asked: Label | None = None
) -> tuple[list[Start], Pixels]:
    """`count` starts near z (Z,), the latent of `place`, and their pictures under the truncation of `place`.

    Raises DataError for a distance that is not from 0 to 1.
    """
    scale = place.truncation or 1.0
    try:
        found = nearby(loaded.model, z / scale, count, distance, seed)
    except ValueError as error:
        raise DataError(str(error)) from None
    name = f"variation of {place.start.name.removeprefix('variation of ')}"
    starts = [Start(one.cpu().numpy(), name, place.start.seed) for one in found]
    return starts, loaded.draw(scale * found, label_of(loaded.model, place.start.seed, asked))


def mixes(loaded: Loaded, place: Place, other: Start, count: int, asked: Label | None = None) -> Pixels:
    """Pictures at `count` even shares from the start of `place` to `other`, with its edits."""
    shares = [i / (count - 1) for i in range(count)]
    z = torch.stack([replace(place, other=other, share=share).z(loaded.model) for share in shares])
    return loaded.draw(z, label_of(loaded.model, place.start.seed, asked))


def film(
    loaded: Loaded, stops: Sequence[int], frames: int, loop: bool, truncation: float, asked: Label | None = None
) -> tuple[Tensor, Tensor | None]:
    """Latents (N, Z) and label of a film through seeds, `frames` from one to the next. Raises DataError."""
    if len(stops) < 2:
        raise DataError("a film needs at least two seeds, separated by commas, such as 1, 7, 42")
    if not 1 <= frames * len(stops) <= MOST_FRAMES:
        raise DataError(f"a film has at most {MOST_FRAMES} frames; {len(stops)} seeds with {frames} each have more")
    starts = torch.stack([torch.from_numpy(start_at(loaded.model, seed).z) for seed in stops])
    return truncation * path_through(starts, frames, loaded.model.latent.prior, loop), label_of(
        loaded.model, stops[0], asked
    )


def length(model: Model, z: Tensor) -> float:
    """The norm of z (Z,) as a multiple of what is usual under the prior: sqrt(Z), or sqrt(Z/3) for the uniform one."""
    usual = math.sqrt(len(z) / (3 if model.latent.prior == "uniform" else 1))
    return float(z.norm()) / usual
