"""A person's own photo, or a picture with a painted hole, and the search for them in latent space.

C channels, H height, W width, Z dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganglion.data.alpha import RGBA, premultiplied, straight
from ganglion.data.pixels import to_float, to_uint8
from ganglion.errors import DataError
from ganglion.latent.complete import Completion, Mask, complete, mean_completion
from ganglion.latent.inputs import picture_from_file
from ganglion.latent.model import Label
from ganglion.latent.project import Projection, Settings, project
from ganglion.pictures.sheets import ShownChannels, over_white, to_pillow
from ganglion.studio.background import Task
from ganglion.studio.explorer import Start, label_of
from ganglion.studio.loaded import Loaded

__all__ = ["Photo", "canvas", "completed", "mask_of", "photo_of", "projected", "read_photo", "start_of"]

STARTS, STEPS = 8, 300
PROPOSALS, PROPOSAL_STARTS = 3, 4
CANVAS = 448  # pixels, about, of the longer side of the picture that is painted on
MISSING = 0.5  # share of a pixel that has to be painted

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture as the run sees it."""

    picture: Tensor
    """(C, H, W) in [-1, 1], alpha premultiplied."""
    name: str

    @property
    def pixels(self) -> Pixels:
        """(H, W, C), alpha straight."""
        return _pixels(self.picture)


def read_photo(path: Path, loaded: Loaded) -> Photo:
    """An image file, made to fit like the training images. Raises DataError."""
    try:
        return Photo(picture_from_file(path, loaded.model.recipe), path.name)
    except DataError as error:
        raise DataError(str(error).replace(str(path), path.name)) from None  # not where the upload lies


def photo_of(pixels: Pixels, name: str) -> Photo:
    """A generated picture (H, W, C) with straight alpha as a photo."""
    return Photo(to_float(torch.from_numpy(premultiplied(pixels).copy())[None])[0].contiguous(), name)


def projected(loaded: Loaded, photo: Photo, asked: Label | None, task: Task) -> Projection:
    """The latent whose picture is nearest to the photo, as far as the task's time goes. Raises DataError."""
    labels = label_of(loaded.model, 0, asked)
    task.text = "Searching"
    return project(
        loaded.model, photo.picture, loaded.discriminator, Settings(STARTS, STEPS), 0, labels, task.progress, task.spent
    )


def start_of(projection: Projection, photo: Photo) -> Start:
    return Start(projection.z.cpu().numpy(), f"projection of {photo.name}", 0)


def canvas(photo: Photo, channels: ShownChannels = None) -> Pixels:
    """The photo as uint8 (H', W', 3), enlarged by a whole factor, to be painted on; what is transparent is white."""
    image = over_white(to_pillow(photo.pixels, channels))
    times = max(1, round(CANVAS / max(image.size)))
    return np.asarray(image).repeat(times, 0).repeat(times, 1)


def mask_of(value: Any, height: int, width: int) -> Mask:
    """Missing pixels (H, W): those of which at least a half is painted in an image editor's layers.

    `value` is the editor's, with layers as RGBA (H', W', 4). Raises DataError where nothing or everything is painted.
    """
    mask = np.zeros((height, width), bool)
    for layer in (value or {}).get("layers") or []:
        alpha = np.asarray(layer)
        if alpha.ndim == 3 and alpha.shape[2] == RGBA:
            painted = Image.fromarray(np.ascontiguousarray(alpha[..., -1] > 0).astype(np.uint8) * 255)
            mask |= np.asarray(painted.resize((width, height), Image.Resampling.BOX)) >= 255 * MISSING
    if not mask.any():
        raise DataError("nothing is painted: paint over the part of the picture that shall be filled in")
    if mask.all():
        raise DataError("the whole picture is painted over: leave a part of it, which the search has to match")
    return mask


def completed(loaded: Loaded, photo: Photo, mask: Mask, asked: Label | None, task: Task) -> dict[str, Pixels]:
    """Pictures (H, W, C) of the known part, of some completions by their error there, and of their mean. Raises DataError."""
    labels = label_of(loaded.model, 0, asked)
    task.text = "Searching"
    found = complete(
        loaded.model, photo.picture, mask, loaded.discriminator, PROPOSALS, Settings(PROPOSAL_STARTS, STEPS), 0, labels,
        task.progress, task.spent,
    )  # fmt: skip
    return _shown(photo.picture, mask, found)


def _shown(picture: Tensor, mask: Mask, found: list[Completion]) -> dict[str, Pixels]:
    known = picture.clone()
    known[:, torch.from_numpy(mask)] = 0
    if len(known) == RGBA:
        known[-1, torch.from_numpy(mask)] = 1  # gray that is opaque
    pictures = {"painted over": known}
    pictures |= {f"proposal {i}, error {one.known_error:.3f}": one.image for i, one in enumerate(found, start=1)}
    if len(found) > 1:
        pictures["mean of the proposals"] = mean_completion(picture, found, mask)
    return {name: _pixels(one) for name, one in pictures.items()}


def _pixels(picture: Tensor) -> Pixels:
    pixels: Pixels = straight(to_uint8(picture[None].cpu()).numpy())[0]
    return pixels
