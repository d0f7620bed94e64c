"""Does completion fill a hole better than simpler means? Test images with a part taken away, filled in three ways.

    python benchmarks/completion.py RUN SOURCE [--data-dir D] --missing right-half --n 64 [--out FILE.json]

(a) `ganglion complete`, its best proposal and the average of all; (b) the mean image of the training set; (c) the training
image that is nearest on the known pixels, pasted in. For each: the squared error on the missing pixels, on [-1, 1], and what
D makes of the whole. Squared error favours the mean: of several likely fillings it is the middle. D was trained against the
generator that fills, and on the very images that are pasted. SOURCE holds images that training has not seen; where it is the
training set itself, those that were held out are taken. RUN knows no classes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import ganglion
from ganglion.data.batches import held_out
from ganglion.data.pixels import to_float
from ganglion.data.prepare import cache_folder, prepare
from ganglion.errors import DataError
from ganglion.latent.complete import Mask, complete, mean_completion, parse_mask
from ganglion.latent.model import Model, discriminator_of
from ganglion.latent.project import Settings
from ganglion.networks.base import Discriminator
from ganglion.platform.screen import Screen

AT_ONCE = 4096  # training images in memory as floats

Pixels = NDArray[np.uint8]


def images_of(model: Model, source: str, data_dir: Path | None, n: int, cache: Path) -> tuple[Pixels, Pixels]:
    """The images (N, H, W, C) that training saw, and n that it did not. Raises DataError where there are not so many."""
    recipe, screen = model.recipe, Screen()
    own = prepare(recipe.data, cache, screen)
    seen, unseen = held_out(len(own.images), recipe.training.seed, recipe.data.held_out_images or 0)
    place = {"source": source, "data_dir": None if data_dir is None else str(data_dir)}
    other = prepare(recipe.data.model_copy(update=place), cache, screen)
    pool = own.images[unseen] if other.content == own.content else other.images
    if len(pool) < n:
        raise DataError(f"{source} has {len(pool):,} images that training has not seen, fewer than --n {n}")
    chosen = np.random.default_rng(0).permutation(len(pool))[:n]
    return own.images[seen], np.asarray(pool[np.sort(chosen)])


def mean_image(training: Pixels) -> Tensor:
    """(C, H, W) in [-1, 1]."""
    total = sum(training[i : i + AT_ONCE].sum(0, dtype=np.float64) for i in range(0, len(training), AT_ONCE))
    return torch.from_numpy(total / len(training) / 127.5 - 1).float().permute(2, 0, 1)


def nearest_images(training: Pixels, images: Tensor, mask: Mask) -> Tensor:
    """For each of `images` (N, C, H, W) the training image with the smallest squared distance on the known pixels."""
    known = torch.from_numpy(~mask)
    asked = images[:, :, known].flatten(1)  # (N, A)
    best, place = torch.full((len(images),), torch.inf), torch.zeros(len(images), dtype=torch.int64)
    for first in range(0, len(training), AT_ONCE):
        there = to_float(torch.from_numpy(training[first : first + AT_ONCE]))[:, :, known].flatten(1)  # (M, A)
        apart = there.square().sum(1) - 2 * asked @ there.T  # (N, M), but for what is the same for all
        smallest, index = apart.min(1)
        better = smallest < best
        best[better], place[better] = smallest[better], index[better] + first
    return to_float(torch.from_numpy(training[place.numpy()]))


def filled(images: Tensor, filling: Tensor, mask: Mask) -> Tensor:
    """`images` (N, C, H, W) with the missing pixels those of `filling`, which is one image or as many."""
    return torch.where(torch.from_numpy(mask), filling, images)


def completed(
    model: Model, discriminator: Discriminator, images: Tensor, mask: Mask, proposals: int, settings: Settings
) -> tuple[Tensor, Tensor]:
    """Of each image (N, C, H, W) the proposal that fits its known pixels best, and the average of all proposals."""
    show, best, means = Screen().steps("Completing"), [], []
    for done, image in enumerate(images, 1):
        found = complete(model, image, mask, discriminator, proposals, settings)
        best.append(found[0].image.cpu())
        means.append(mean_completion(image, found, mask).cpu())
        show(done, len(images))
    return torch.stack(best), torch.stack(means)


def measured(ways: dict[str, Tensor], true: Tensor, mask: Mask, judge: Discriminator) -> dict[str, dict[str, float]]:
    """By way: squared error on the missing pixels and its standard error over images, the same for D's logit."""
    gone, results = torch.from_numpy(mask), {}
    for way, images in ways.items():
        error = (images - true)[:, :, gone].double().square().mean((1, 2))  # (N,)
        logit = judge(images.to(next(judge.parameters()).device)).cpu().double()  # (N,)
        doubt = len(true) ** 0.5
        results[way] = {
            "mse": float(error.mean()),
            "mse_error": float(error.std() / doubt),
            "logit": float(logit.mean()),
            "logit_error": float(logit.std() / doubt),
        }
    return results


def table(results: dict[str, dict[str, float]]) -> str:
    lines = ["| missing part from | squared error | D's logit |", "|---|---|---|"]
    for way, r in results.items():
        lines.append(f"| {way} | {r['mse']:.4f} ± {r['mse_error']:.4f} | {r['logit']:.2f} ± {r['logit_error']:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("source")
    parser.add_argument("--data-dir", type=Path, help="a local copy of SOURCE, where that is a name")
    parser.add_argument("--missing", default="right-half", help="as of ganglion complete")
    parser.add_argument("--n", type=int, default=64, help="images, at least 2")
    parser.add_argument("--proposals", type=int, default=4, help="searches for each image; the best fit is taken")
    parser.add_argument("--steps", type=int, default=300, help="of each search")
    parser.add_argument("--starts", type=int, default=4, help="latents from which each search goes out")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, help="FILE.json for the figures and all that they depend on")
    asked = parser.parse_args()
    begun = time.monotonic()
    model = ganglion.load(asked.run, device=asked.device)
    discriminator = discriminator_of(model)
    assert discriminator is not None  # a run has one
    if discriminator.classes or asked.n < 2:
        parser.error("RUN knows no classes, and --n is at least 2")
    training, pixels = images_of(model, asked.source, asked.data_dir, asked.n, cache_folder())
    true = to_float(torch.from_numpy(pixels)).contiguous()
    mask = parse_mask(asked.missing, *true.shape[2:])
    settings = Settings(asked.starts, asked.steps)
    with torch.no_grad():
        nearest, mean = nearest_images(training, true, mask), mean_image(training)
    ours, average = completed(model, discriminator, true, mask, asked.proposals, settings)
    ways = {
        "completion": ours,
        "average of the proposals": average,
        "mean image": filled(true, mean, mask),
        "nearest training image": filled(true, nearest, mask),
        "the true image": true,
    }
    with torch.no_grad():
        results = measured(ways, true, mask, discriminator)
    print(table(results), flush=True)
    if asked.out is not None:
        settled = {key: str(value) if isinstance(value, Path) else value for key, value in vars(asked).items()}
        facts = {"checkpoint": model.checkpoint.name, "training_images": len(training), "missing": float(mask.mean())}
        facts |= {"seconds": round(time.monotonic() - begun, 1), "device": asked.device}
        asked.out.write_text(json.dumps({"asked": settled, **facts, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
