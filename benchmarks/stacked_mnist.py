"""Stacked MNIST: three random digits as the red, green and blue of one image, so that there are 1,000 modes to find.

    python benchmarks/stacked_mnist.py --data-dir mnist/ --out results/ --minutes 8

Trains `dcgan` and our best recipe for equal minutes, draws 26,000 samples of each, reads every channel with a classifier
trained on MNIST alone, and counts the modes that were found and the reverse KL divergence, sum q log(q / p) with q the
samples' modes and p the data's. Metz et al. 2017, arXiv 1611.02163, section 3.4.1; 26,000 samples: Lin et al. 2018,
arXiv 1712.04086.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import ganglion
from ganglion.data.fit import Fit
from ganglion.data.store import FORMAT
from ganglion.pictures.sheets import save_image, sheet
from judge import Judge, digits, look, trained_judge
from recipes import train

IMAGES, SAMPLES, MODES = 128_000, 26_000, 1000
CONTENDERS = ("dcgan", "fast")


class Coverage(NamedTuple):
    modes: int
    reverse_kl: float
    """In nats; 0 where samples are spread as the data are."""


def stack(images: NDArray[np.uint8], random: np.random.Generator, n: int = IMAGES) -> NDArray[np.uint8]:
    """n stacked images (N, 32, 32, 3) of gray digits (M, 32, 32, 1)."""
    chosen = random.integers(0, len(images), (n, 3))
    return np.stack([images[chosen[:, channel], :, :, 0] for channel in range(3)], -1)


def modes_of(judge: Judge, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The number 0 .. 999 that each stacked image shows (N,)."""
    read = [look(judge, images[..., channel : channel + 1])[1] for channel in range(3)]
    return read[0] * 100 + read[1] * 10 + read[2]


def coverage(judge: Judge, samples: NDArray[np.uint8]) -> Coverage:
    """How many modes there are among the samples, against evenly spread ones."""
    counts = np.bincount(modes_of(judge, samples), minlength=MODES)
    shares = counts[counts > 0] / counts.sum()
    return Coverage(int((counts > 0).sum()), float((shares * np.log(shares * MODES)).sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="MNIST in its IDX files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--recipes", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    asked = parser.parse_args()
    judge = trained_judge(asked.data_dir)
    folder = asked.out / "stacked"
    if not (folder / "images.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write_store(folder, stack(digits(asked.data_dir, "train").images, np.random.default_rng(0), asked.images))
    real = np.load(folder / "images.npy", mmap_mode="r")
    print("real images", coverage(judge, real[: asked.samples])._asdict(), flush=True)
    for recipe in asked.recipes:
        run = train(
            folder, asked.out / f"stacked-{recipe}-{asked.seed}", recipe, minutes=asked.minutes, seed=asked.seed
        )
        samples = ganglion.load(run.path, "latest").sample(asked.samples, seed=1)
        save_image(sheet(samples[:64]), asked.out / f"stacked-{recipe}-{asked.seed}.png")
        found = coverage(judge, samples)._asdict() | {"kimg": run.records()[-1]["kimg"]}
        print(recipe, json.dumps(found), flush=True)


def _write_store(folder: Path, images: NDArray[np.uint8]) -> None:
    """A store as `ganglion train` takes it, written directly: 128,000 PNGs would only be decoded again."""
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", np.full(len(images), -1))
    facts = {"description": "Stacked MNIST", "images": len(images), "bad": [], "duplicates": 0, "kinds": {}}
    fit = asdict(Fit((32, 32), 3, "crop"))
    tree = {"format": FORMAT, "content": "stacked-mnist-0", "fit": fit, "classes": [], "facts": facts}
    (folder / "store.json").write_text(json.dumps(tree))


if __name__ == "__main__":
    main()
