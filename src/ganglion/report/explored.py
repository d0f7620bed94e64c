"""Images of a generator for the report: samples, walks, interpolations, directions, nearest real images."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.data.alpha import premultiplied, straight
from ganglion.errors import DataError
from ganglion.latent.directions import sefa_directions
from ganglion.latent.model import Model
from ganglion.latent.walk import RANGES, influence, path_through, walk_along, walk_dimensions
from ganglion.pictures.sheets import ShownChannels, columns_for, labelled_rows, sheet

__all__ = ["Picture", "explore", "nearest_indices", "nearest_rows"]


SAMPLES = 64
ROWS, COLUMNS = 6, 9
STOPS = 5  # latents of an interpolation
BASES = 2  # latents at which the influence of a dimension is measured
STRENGTH = 4.0  # of a direction, each way
NEAREST = 3  # real images per sample
CHUNK = 2**23  # values of real images compared at a time
ROW_LABEL = 84  # pixels
LEAST_SIDE = 40

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """An image with a heading, and a description that includes the command that makes it."""

    name: str
    title: str
    about: str
    pixels: Pixels


def explore(model: Model, run: str, seed: int = 0) -> list[Picture]:
    """Images of a generator; `run` is its name in the printed commands. Equal seeds give equal images."""
    z = model.latents(1, seed)[0]
    samples = model.sample(SAMPLES, seed)
    times = _times(samples)
    found = [
        Picture("samples", "Random samples", f"Not cherry-picked. ganglion sample {run} --n {SAMPLES}",
                sheet(samples.repeat(times, 1).repeat(times, 2), 2 * columns_for(SAMPLES), channels=model.shown_channels)),
        _walks(model, z, run),
        _interpolation(model, seed, run),
    ]  # fmt: skip
    with suppress(DataError):  # needs access to the first layer
        found.append(_directions(model, z, run))
    return found


def nearest_rows(samples: Pixels, real: Pixels, channels: ShownChannels = None) -> Pixels:
    """Each sample and the real images (N, H, W, C) nearest to it by pixels, as rows of one image (H, W, 3).

    Samples have straight alpha, as `Model.sample` gives them; real images are premultiplied, as a store holds them, and so
    they are compared.
    """
    indices = nearest_indices(premultiplied(samples), real, min(NEAREST, len(real)))
    rows = [
        (f"sample {i}", np.concatenate([sample[None], straight(real[chosen])]))
        for i, (sample, chosen) in enumerate(zip(samples, indices, strict=True))
    ]
    return labelled_rows(rows, _times(samples), ROW_LABEL, channels)


def nearest_indices(samples: Pixels, real: Pixels, count: int) -> NDArray[np.int64]:
    """The `count` real images (N, H, W, C) nearest by pixels to each sample (M, H, W, C): (M, count), nearest first.

    Both premultiplied. The real images are read in chunks.
    """
    flat = torch.from_numpy(samples.reshape(len(samples), -1).astype(np.float32))
    rows = max(1, CHUNK // flat.shape[1])
    distances = [
        torch.cdist(flat, torch.from_numpy(real[first : first + rows].reshape(-1, flat.shape[1]).astype(np.float32)))
        for first in range(0, len(real), rows)
    ]
    indices: NDArray[np.int64] = torch.cat(distances, 1).topk(count, dim=1, largest=False).indices.numpy()
    return indices


def _walks(model: Model, z: Tensor, run: str) -> Picture:
    dims = influence(model, bases=BASES, labels=model.labels(1)).argsort()[::-1][:ROWS].tolist()
    low, high = RANGES[model.latent.prior]
    rows = walk_dimensions(z, dims, low, high, COLUMNS)
    about = (
        f"One latent; each row varies one coordinate from {low:g} to {high:g} with all others fixed. The rows are the "
        f"dimensions that change the image most. ganglion walk {run} --dims {','.join(map(str, dims))}"
    )
    return Picture("walks", "Walks along single dimensions", about, _rows(model, rows, [f"dim {dim}" for dim in dims]))


def _directions(model: Model, z: Tensor, run: str) -> Picture:
    found = sefa_directions(model, ROWS)
    rows = walk_along(z, found.vectors.float(), -STRENGTH, STRENGTH, COLUMNS)
    about = (
        "Directions along which the first layer's output changes most (Shen and Zhou 2021), from step "
        f"{-STRENGTH:g} to {STRENGTH:g}. ganglion directions {run}"
    )
    names = [f"{i}: {strength:.3g}" for i, strength in enumerate(found.strengths.tolist())]
    return Picture("directions", "Strongest directions", about, _rows(model, rows, names))


def _interpolation(model: Model, seed: int, run: str) -> Picture:
    stops = torch.cat([model.latents(1, seed + i) for i in range(STOPS)])
    path = path_through(stops, COLUMNS - 1, model.latent.prior)
    rows = torch.stack([path[i * (COLUMNS - 1) :][:COLUMNS] for i in range(STOPS - 1)])
    seeds = ",".join(str(seed + i) for i in range(STOPS))
    about = f"From one latent to the next, one row each. ganglion interpolate {run} --seeds {seeds}"
    names = [f"{i} to {i + 1}" for i in range(STOPS - 1)]
    return Picture("interpolations", "Interpolations", about, _rows(model, rows, names))


def _rows(model: Model, rows: Tensor, names: list[str]) -> Pixels:
    label = model.labels(1)
    images = [model.pixels(row, label) for row in rows]
    return labelled_rows(list(zip(names, images, strict=True)), _times(images[0]), ROW_LABEL, model.shown_channels)


def _times(images: Pixels) -> int:
    return max(1, round(LEAST_SIDE / int(images.shape[1])))
