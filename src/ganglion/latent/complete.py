"""Completion (inpainting) of an image with a generator. Yeh et al. 2017, "Semantic Image Inpainting with Deep Generative
Models", arXiv 1607.07539: contextual and prior loss (equations 4 to 6), then blending (section 3.3).

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
from ganglion.latent.model import Model, for_each
from ganglion.latent.project import DEFAULT, Settings, Spent, best_starts, search, unlimited
from ganglion.networks.custom import AnyDiscriminator
from ganglion.objectives.adversarial import per_image

__all__ = ["Completion", "Mask", "complete", "mean_completion", "parse_mask", "pixel_weights", "poisson_blend"]


NEIGHBOURHOOD = 7  # pixels a side, the paper's window
EVERYWHERE = 1.0  # weight of any known pixel, added to that by its missing neighbours; 0.1 gave 6 % more error on MNIST
PRIOR = 0.05  # the paper's lambda is 0.003; with it D's logits of completions of MNIST were lower

Mask = NDArray[np.bool_]


class Completion(NamedTuple):
    image: Tensor
    """(C, H, W): the known pixels unchanged, the others blended in."""
    raw: Tensor
    """(C, H, W): the generator's output."""
    known_error: float
    """Root mean square error of `raw` on the known pixels, on [-1, 1]."""
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
    spent: Spent = unlimited,
) -> list[Completion]:
    """Completions of `picture` (C, H, W) in [-1, 1], sorted by their error on the known pixels.

    Each starts from other latents. `discriminator` gives the prior loss, `labels` (1,) is the class for a conditional model.
    Where the time is `spent`, there are fewer proposals, at least one. Raises ValueError for a mask of another shape.
    """
    if mask.shape != tuple(picture.shape[1:]):
        raise ValueError(f"the mask is {mask.shape}, the picture {tuple(picture.shape[1:])}")
    if mask.all() or not mask.any():
        raise ValueError(
            f"a mask must mark some of the pixels as missing; this one marks {'all' if mask.all() else 'none'}"
        )
    target = picture.to(model.device).float()[None]
    weights = torch.from_numpy(pixel_weights(mask)).float().to(model.device)
    apart = discriminator is not None and _compares(discriminator, target, labels)

    def loss(images: Tensor) -> Tensor:
        context = (weights * (images - target).abs()).sum((1, 2, 3)) / (weights.sum() * target.shape[1])
        if discriminator is None:
            return context
        return context + PRIOR * per_image(softplus(-_logits(discriminator, images, labels, apart).float()))

    found: list[Completion] = []
    done = 0
    for proposal in range(proposals):
        if found and spent() >= 1:
            break

        def spent_of_this(before: int = proposal) -> float:
            return spent() * proposals - before

        starts, _ = best_starts(model, loss, target, settings.starts, seed + proposal, labels, spent_of_this)
        z, images = search(
            model,
            loss,
            starts,
            settings,
            labels,
            lambda step, total, done=done: progress(done + step, proposals * total),  # type: ignore[misc]
            spent_of_this,
        )
        done += settings.steps
        known = torch.from_numpy(~mask).to(model.device)
        error = float((images[-1] - target[0])[:, known].square().mean().sqrt())
        found.append(Completion(poisson_blend(target[0], images[-1], mask), images[-1], error, z))
    return sorted(found, key=lambda completion: completion.known_error)


@torch.no_grad()
def _compares(discriminator: AnyDiscriminator, image: Tensor, labels: Tensor | None) -> bool:
    """Whether D's logit of this image (1, C, H, W) depends on the others of a batch, as with minibatch discrimination."""
    ramp = torch.linspace(-1, 1, image.numel(), device=image.device).view_as(image)
    images = torch.cat(
        [image, 0.95 * image + 0.05 * ramp, ramp]
    )  # minibatch discrimination compares similar images alone
    together, alone = (_logits(discriminator, images, labels, apart) for apart in (False, True))
    return not torch.allclose(together, alone, rtol=1e-3, atol=1e-3)


def _logits(discriminator: AnyDiscriminator, images: Tensor, labels: Tensor | None, apart: bool) -> Tensor:
    """Of images (N, C, H, W), all of the class `labels` (1,); `apart`: each in a batch of its own."""
    parts = torch.split(images, 1) if apart else [images]
    return torch.cat([
        discriminator(part, None if labels is None else for_each(labels, len(part))) for part in parts
    ])  # fmt: skip


def mean_completion(picture: Tensor, found: Sequence[Completion], mask: Mask) -> Tensor:
    """`picture` (C, H, W) with the missing pixels from the mean of the proposals, which has the smallest squared error but is
    blurrier than each of them.
    """
    return poisson_blend(picture, torch.stack([one.raw for one in found]).mean(0), mask)


def pixel_weights(mask: Mask) -> NDArray[np.float64]:
    """(H, W): 0 for missing pixels; for known ones 1 plus the share of their 7x7 neighbours that are missing, so that pixels
    near the hole have more weight. Yeh et al. 2017, equation 3, without the 1.
    """
    near = uniform_filter(mask.astype(np.float64), NEIGHBOURHOOD, mode="nearest")
    return np.where(mask, 0.0, near + EVERYWHERE)


def poisson_blend(picture: Tensor, drawn: Tensor, mask: Mask) -> Tensor:
    """`picture` (C, H, W) with the missing pixels from `drawn`, without a visible seam.

    Poisson blending (Pérez et al. 2003, equation 7): the gradients inside come from `drawn`, the values at the border from
    `picture`.
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


def parse_mask(words: str, height: int, width: int, seed: int = 0) -> Mask:
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
