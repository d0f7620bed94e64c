"""Every recipe for the same few minutes on MNIST at 32x32, scored by an independent judge.

    python benchmarks/recipes.py --data-dir mnist/ --out results/              all recipes, two seeds, three minutes each
    python benchmarks/recipes.py --data-dir mnist/ --out results/ --recipes fast dcgan --minutes 1 3 --seeds 0

For each run it writes a line of results.jsonl and a grid of 64 random samples; what is there already is not run again.
Prints the table of docs/recipes.md. Minutes on two cores are not days on a GPU, so networks of the classics have 32 feature
maps instead of 64, WGAN's and SNGAN's 16, R3GAN's 16 and one block at each resolution with lazy penalties; WGAN-GP has plain
convolutional networks, 24 wide, which its paper uses beside the residual ones. Those with five critic steps for one of G,
and R3GAN, take batches of 16 instead of 64, or G would be updated a few hundred times in all.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import ganglion
from ganglion.errors import TrainingFailed
from ganglion.pictures.sheets import save_image, sheet
from judge import Reals, digits, know_reals, score, trained_judge

SAMPLES = 10_000
NARROW: dict[str, object] = {"generator.width": 32, "discriminator.width": 32}
NARROWER: dict[str, object] = {"generator.width": 16, "discriminator.width": 16, "training.batch": 16}
R3GAN_SMALL: dict[str, object] = {
    **NARROWER, "generator.blocks": 1, "discriminator.blocks": 1,
    "objective.penalties": [
        {"kind": "r1", "weight": 1.0, "interval_updates": 4}, {"kind": "r2", "weight": 1.0, "interval_updates": 4}],
}  # fmt: skip
SMALL_CNN: dict[str, object] = {
    "generator.family": "dcgan", "generator.width": 24, "discriminator.family": "dcgan", "discriminator.width": 24,
    "discriminator.norm": "none", "training.batch": 16,
}  # fmt: skip
SIZES: dict[str, dict[str, object]] = {
    "dcgan": NARROW, "dcgan-fm": NARROW, "lsgan": NARROW, "dragan": NARROW, "improved": NARROW,
    "wgan": NARROWER, "wgan-gp": SMALL_CNN, "sngan": NARROWER, "r3gan": R3GAN_SMALL, "small-data": {}, "fast": {},
}  # fmt: skip


def train(
    source: str | Path, run: Path, recipe: str, changes: Mapping[str, object] | None = None, **asked: Any
) -> ganglion.Run:
    """A run to the end of its time with the sizes above; one that ends failing is scored like any other."""
    changes = {**SIZES[recipe], "training.snapshot_kimg": 1000, **(changes or {})}
    with suppress(TrainingFailed):
        ganglion.train(source, run=run, recipe=recipe, quiet=True, set=changes, **asked)
    return ganglion.Run(run)


def run_one(recipe: str, seed: int, minutes: float, data_dir: Path, out: Path, n: int) -> dict[str, Any]:
    name = f"{recipe}-{minutes:g}min-{seed}"
    run = train("mnist", out / name, recipe, data_dir=data_dir, size=32, minutes=minutes, seed=seed)
    samples = ganglion.load(run.path, "latest").sample(n, seed=1)
    judge = trained_judge(data_dir)
    fid, modes = score(judge, _reals(data_dir), samples)
    save_image(sheet(samples[:64]), out / f"{name}.png")
    last = run.records()[-1]
    np.savez_compressed(out / f"{name}.npz", samples=samples[:64])
    return {
        "recipe": recipe, "seed": seed, "minutes": minutes, "fid": round(fid, 2), "modes": modes,
        "kimg": round(last["kimg"], 1), "steps": last["step"], "seconds": last["seconds"],
        "earth_mover": [[r["kimg"], r["earth_mover"]] for r in run.records() if "earth_mover" in r],
    }  # fmt: skip


_KNOWN: dict[Path, Reals] = {}


def _reals(data_dir: Path) -> Reals:
    if data_dir not in _KNOWN:
        _KNOWN[data_dir] = know_reals(trained_judge(data_dir), digits(data_dir, "train"))
    return _KNOWN[data_dir]


def table(results: list[dict[str, Any]], floor: float) -> str:
    """A row for each recipe and budget, best first; floor: real images against real images."""
    groups: dict[tuple[str, float], list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        groups[result["recipe"], result["minutes"]].append(result)
    lines = ["| recipe | minutes | FID, each seed | modes of 10 | thousand images |", "|---|---|---|---|---|"]
    for (recipe, minutes), runs in sorted(groups.items(), key=lambda item: np.mean([r["fid"] for r in item[1]])):
        ordered = sorted(runs, key=lambda r: r["seed"])
        fids, modes = (", ".join(str(r[key]) for r in ordered) for key in ("fid", "modes"))
        lines.append(f"| `{recipe}` | {minutes:g} | {fids} | {modes} | {np.mean([r['kimg'] for r in ordered]):.0f} |")
    return "\n".join([*lines, f"| real images | | {floor:.2f} | 10 | |"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="MNIST in its IDX files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--minutes", nargs="+", type=float, default=[3.0])
    parser.add_argument("--samples", type=int, default=SAMPLES)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    file = asked.out / "results.jsonl"
    results = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {(r["recipe"], r["seed"], r["minutes"]) for r in results}
    for seed in asked.seeds:
        for minutes in asked.minutes:
            for recipe in asked.recipes:
                if (recipe, seed, minutes) not in done:
                    results.append(run_one(recipe, seed, minutes, asked.data_dir, asked.out, asked.samples))
                    with file.open("a") as log:
                        log.write(json.dumps(results[-1]) + os.linesep)
                    print({k: v for k, v in results[-1].items() if k != "earth_mover"}, flush=True)
    print(table(results, _reals(asked.data_dir).floor))


if __name__ == "__main__":
    main()
