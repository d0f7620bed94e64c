"""The relative distance of images with known faults, on folders of few images.

    python benchmarks/relative_distance.py icons.zip photos/ --size 64 --most 300

Half of a folder are the reals; the other half, with and without faults, stand for samples. 0: as other reals, 1: as a Gaussian.
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ganglion.data.pixels import to_float
from ganglion.data.prepare import cache_folder, prepare
from ganglion.metrics.relative_distance import RelativeDistance, gaussian_images
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import resolve

GAUSSIANS = 200


def blurred(images: Tensor, deviation: float) -> Tensor:
    """By a Gaussian of so many pixels."""
    radius, channels = int(3 * deviation + 1), images.shape[1]
    kernel = torch.exp(-torch.arange(-radius, radius + 1).square() / (2 * deviation**2))
    kernel = (kernel / kernel.sum()).repeat(channels, 1, 1, 1)  # (C, 1, 1, K)
    rows = conv2d(pad(images, (radius, radius, 0, 0), mode="replicate"), kernel, groups=channels)
    return conv2d(pad(rows, (0, 0, radius, radius), mode="replicate"), kernel.transpose(2, 3), groups=channels)


def faults(reals: Tensor, others: Tensor, random: np.random.Generator) -> dict[str, Tensor]:
    noise = torch.from_numpy(random.standard_normal(tuple(others.shape)).astype(np.float32))
    gaussian = torch.cat(list(gaussian_images([reals], GAUSSIANS, random)))
    return {
        "other reals": others, "the reals themselves": reals, "blur 0.5": blurred(others, 0.5), "blur 1": blurred(others, 1),
        "blur 2": blurred(others, 2), "noise 0.05": (others + 0.05 * noise).clamp(-1, 1),
        "noise 0.2": (others + 0.2 * noise).clamp(-1, 1), "ten repeated": others[:10].repeat(len(others) // 10 + 1, 1, 1, 1),
        "another Gaussian": gaussian, "noise alone": noise.clamp(-1, 1),
    }  # fmt: skip


def row(source: str, size: int, most: int, seed: int) -> str:
    recipe = resolve("small-data", {"data.source": source, "data.size": size})
    store = prepare(recipe.data, cache_folder(), Screen(quiet=True))
    random = np.random.default_rng((seed, zlib.crc32(Path(source).name.encode())))
    images = to_float(torch.from_numpy(np.array(store.images[np.sort(random.permutation(len(store.images))[:most])])))
    images = images[torch.from_numpy(random.permutation(len(images)))]
    half = len(images) // 2
    reals, others = images[:half], images[half : 2 * half]
    distance = RelativeDistance([reals])
    gaussian = distance.distances(distance.features(gaussian_images([reals], GAUSSIANS, random)))
    found = {
        name: distance.of(distance.features([some]), gaussian) for name, some in faults(reals, others, random).items()
    }
    return f"| {Path(source).stem} | {half} | " + " | ".join(f"{value:.2f}" for value in found.values()) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--most", type=int, default=300, help="images of each folder")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    names = faults(torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8), np.random.default_rng(0))
    print(f"| folder | reals | {' | '.join(names)} |\n|{'---|' * (len(names) + 2)}")
    for source in asked.sources:
        print(row(source, asked.size, asked.most, asked.seed), flush=True)


if __name__ == "__main__":
    main()
