"""Samples that are asked to be of a class: how many are, by the independent judge, on MNIST at 32x32.

    python benchmarks/classes.py --data-dir mnist/ --out results/                     `fast` with classes, one minute
    python benchmarks/classes.py --data-dir mnist/ --out results/ --recipe dcgan --minutes 3

Prints the share of samples that are of their class, over all and for the worst digit, and the judge's distance of all
samples together. Leaves a sheet with a row for each digit.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import ganglion
from ganglion.pictures.sheets import save_image, sheet
from judge import digits, know_reals, look, score, trained_judge
from recipes import SIZES, train

EACH, SHOWN = 1_000, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="MNIST in its IDX files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", choices=list(SIZES), default="fast")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=EACH, help="samples of each digit")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    judge = trained_judge(asked.data_dir)
    reals = know_reals(judge, digits(asked.data_dir, "train"))
    name = f"{asked.recipe}-classes-{asked.minutes:g}min-{asked.seed}"
    run = train(
        "mnist", asked.out / name, asked.recipe, changes={"data.conditional": True},
        data_dir=asked.data_dir, size=32, minutes=asked.minutes, seed=asked.seed,
    )  # fmt: skip
    model = ganglion.load(run.path, "latest")
    samples = np.stack([model.sample(asked.each, seed=1, label=digit) for digit in range(10)])  # (10, EACH, 32, 32, 1)
    save_image(sheet(samples[:, :SHOWN].reshape(-1, 32, 32, 1), columns=SHOWN), asked.out / f"{name}.png")
    flat = samples.reshape(-1, 32, 32, 1)
    right = (look(judge, flat)[1].reshape(10, asked.each) == np.arange(10)[:, None]).mean(axis=1)
    fid, modes = score(judge, reals, flat)
    print(
        f"{name}: of the class asked for {right.mean():.1%}, worst digit {right.argmin()} {right.min():.1%}; "
        f"FID {fid:.1f}, {modes} digits, {run.records()[-1]['kimg']:.0f} kimg"
    )


if __name__ == "__main__":
    main()
