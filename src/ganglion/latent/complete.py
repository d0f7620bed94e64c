"""Completion: a picture with a hole, filled by the generator's nearest picture. Yeh et al. 2017, "Semantic Image Inpainting
with Deep Generative Models", arXiv 1607.07539: contextual and prior loss (equations 4 to 6), then blending (section 3.3).

N proposals, Z dimensions, C channels, H height, W width. A mask (H, W) is true where pixels are missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve
from torch import Tensor
from torch.nn.functional import softplus

from ganglion.errors import DataError
from ganglion.latent.model import Model
from ganglion.latent.project import DEFAULT, Settings, nearest_start, search
from ganglion.networks.custom import AnyDiscriminator
from ganglion.objectives.adversarial import per_image

__all__ = ["Completion", "Mask", "averaged", "blended", "complete", "importance", "mask_of"]


NEIGHBOURHOOD = 7  # pixels a side, the paper's window
EVERYWHERE = 1.0  # weight of any known pixel, beside that of its missing neighbours; 0.1 gave 6 % more error on MNIST
PRIOR = 0.05  # the paper's lambda is 0.003; with it D was further from taking fillings of MNIST for real

Mask = NDArray[np.bool_]


class Completion(NamedTuple):
    image: Tensor
    """(C, H, W): the known pixels as they are, the others blended in."""
    raw: Tensor
    """(C, H, W): what the generator drew."""
    known_error: float
    """Root mean square of what it drew against the known pixels, on [-1, 1]."""
    z: Tensor


def complete(
    model: Model,
    picture: Tensor,
    mask: Mask,
    discriminator: AnyDiscriminator | None = None,
    proposals: int = 4,
    settings: Settings = DEFAULT,
    seed: int = 0,
    labels: Tensor | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Completion]:
    """Ways to fill the hole in `picture` (C, H, W) in [-1, 1], the one that fits the known pixels best first.

    Each begins at other latents. `discriminator` gives the prior loss, `labels` (1,) is the class for a conditional model.
    Raises ValueError for a mask of another shape.
    """
    if mask.shape != tuple(picture.shape[1:]):
        raise ValueError(f"the mask is {mask.shape}, the picture {tuple(picture.shape[1:])}")
    if mask.all() or not mask.any():
        raise ValueError(
            "a mask marks some pixels as missing and leaves others: this one marks " + ("all" if mask.all() else "none")
        )
    target = picture.to(model.device).float()[None]
    weights = torch.from_numpy(importance(mask)).float().to(model.device)

    def loss(images: Tensor) -> Tensor:
        context = (weights * (images - target).abs()).sum((1, 2, 3)) / (weights.sum() * target.shape[1])
        if discriminator is None:
            return context
        each = None if labels is None else labels.expand(len(images))
        return context + PRIOR * per_image(softplus(-discriminator(images, each).float()))

    found = []
    done = 0
    for proposal in range(proposals):
        starts, _ = nearest_start(model, loss, target, settings.starts, seed + proposal, labels)
        z, images = search(
            model,
            loss,
            starts,
            settings,
            labels,
            lambda step, total, done=done: progress(done + step, proposals * total),  # type: ignore[misc]
        )
        done += settings.steps
        known = torch.from_numpy(~mask).to(model.device)
        error = float((images[-1] - target[0])[:, known].square().mean().sqrt())
        found.append(Completion(blended(target[0], images[-1], mask), images[-1], error, z))
    return sorted(found, key=lambda completion: completion.known_error)


def averaged(picture: Tensor, found: Sequence[Completion], mask: Mask) -> Tensor:
    """`picture` (C, H, W) with the missing pixels those of the proposals' mean: the middle of what could be there, which has
    the least squared error and looks less sharp than any of them.
    """
    return blended(picture, torch.stack([one.raw for one in found]).mean(0), mask)


def importance(mask: Mask) -> NDArray[np.float64]:
    """(H, W): 0 where pixels are missing; of a known one, 1 and the share of its 7x7 neighbours that are missing: pixels near
    the hole say most of what belongs into it. Yeh et al. 2017, equation 3, who leave out the 1.
    """
    near = uniform_filter(mask.astype(np.float64), NEIGHBOURHOOD, mode="nearest")
    return np.where(mask, 0.0, near + EVERYWHERE)


def blended(picture: Tensor, drawn: Tensor, mask: Mask) -> Tensor:
    """`picture` (C, H, W) with the missing pixels those of `drawn`, shifted so that no seam is seen.

    Poisson blending (Pérez et al. 2003, equation 7): inside, the gradients are those of `drawn`; at the border, the values are
    those of the picture.
    """
    whole, inside = (tensor.detach().cpu().double().numpy() for tensor in (picture, drawn))
    rows, columns = np.nonzero(mask)
    number = -np.ones(mask.shape, np.int64)
    number[rows, columns] = np.arange(len(rows))
    right = np.zeros((len(rows), len(whole)))
    places, others, degree = [], [], np.zeros(len(rows))
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        y, x = rows + dy, columns + dx
        there = (y >= 0) & (y < mask.shape[0]) & (x >= 0) & (x < mask.shape[1])
        y, x, mine = y[there], x[there], np.flatnonzero(there)
        degree[mine] += 1
        right[mine] += (inside[:, rows[there], columns[there]] - inside[:, y, x]).T
        missing = mask[y, x]
        places.append(mine[missing])
        others.append(number[y[missing], x[missing]])
        right[mine[~missing]] += whole[:, y[~missing], x[~missing]].T
    at, to = np.concatenate(places), np.concatenate(others)
    every = np.arange(len(rows))
    entries = np.concatenate([degree, -np.ones(len(at))])
    matrix = coo_matrix((entries, (np.concatenate([every, at]), np.concatenate([every, to]))), (len(rows), len(rows)))
    solved = spsolve(matrix.tocsc(), right).reshape(len(rows), len(whole))
    result = whole.copy()
    result[:, rows, columns] = solved.T.clip(-1, 1)
    return torch.from_numpy(result).to(picture)


def mask_of(words: str, height: int, width: int, seed: int = 0) -> Mask:
    """`left-half`, `right-half`, `top-half`, `bottom-half`, `centre` (its middle half each way), `random:0.5`, `border`.

    Raises DataError for other words.
    """
    mask = np.zeros((height, width), bool)
    if words == "left-half":
        mask[:, : width // 2] = True
    elif words == "right-half":
        mask[:, width // 2 :] = True
    elif words == "top-half":
        mask[: height // 2] = True
    elif words == "bottom-half":
        mask[height // 2 :] = True
    elif words in ("centre", "center"):
        mask[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    elif words == "border":
        mask[:] = True
        mask[height // 8 : height - height // 8, width // 8 : width - width // 8] = False
    elif (found := re.fullmatch(r"random:(0?\.\d+)", words)) is not None:
        mask = np.random.default_rng(seed).random((height, width)) < float(found[1])
    else:
        raise DataError(
            f"--missing is left-half, right-half, top-half, bottom-half, centre, border or random:SHARE; got {words!r}"
        )
    return mask
