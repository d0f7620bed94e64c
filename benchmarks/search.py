"""A search for better settings on folders of images: one change at a time, what helped together, and then other folders.

    python benchmarks/search.py FOLDER_OF_ZIPS --out results/ --on elves portraits --then orcs hats --minutes 2.5
    python benchmarks/search.py FOLDER_OF_ZIPS --out results/ --recipe fast --on mnist cifar10 flowers --then clipart

Every training is `ganglion train ZIP --recipe R --minutes M` with one change of CHANGES[R] as `--set`, in a process of one
thread, two at a time. Samples are judged as in benchmarks/folders.py. A change helps where its distance over the unchanged
one, as a geometric mean over the folders of `--on`, is below HELPS; what helps is then tried together. The folders of `--then`
decide whether that holds: none was looked at before. What stands in --out is not trained again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ganglion
from folders import score

HELPS = 0.95
LEAST = 0.02  # distances below it are as good as 0
BASE = "unchanged"
Change = dict[str, str]


def rates(generator: float, discriminator: float) -> Change:
    return {"optimizer.generator.lr": f"{generator:g}", "optimizer.discriminator.lr": f"{discriminator:g}"}


def r1(weight: float, interval: int) -> Change:
    return {"objective.penalties": f"[{{kind: r1, weight: {weight:g}, interval_updates: {interval}}}]"}


FEW_IMAGES: dict[str, Change] = {
    BASE: {},
    "batch 8, rates by its root": {"training.batch": "8", **rates(2.8e-3, 1.4e-3)},
    "rates 2.5e-3 and 1.25e-3": rates(2.5e-3, 1.25e-3),
    "rates 6e-3 and 3e-3": rates(6e-3, 3e-3),
    "warm-up of 2 kimg": {"optimizer.warmup_kimg": "2"},
    "R1=0.3": r1(0.3, 4),
    "R1=3": r1(3, 4),
    "R1 at every 8th step": r1(1, 8),
    "G of width 48": {"generator.width": "48"},
    "G of width 24": {"generator.width": "24"},
    "D of width 32": {"discriminator.width": "32"},
    "D of width 16": {"discriminator.width": "16"},
    "D takes means of 2x2": {"discriminator.downsampling": "averaged"},
    "minibatch standard deviation": {"discriminator.minibatch": "stddev"},
    "no colours in the augmentation": {"augment.policy": "[translation, cutout]"},
    "SiLU in D": {"discriminator.activation": "silu"},
    "z of 16": {"latent.dim": "16"},
    "hinge loss": {"objective.adversarial": "hinge"},
    "average of 5 kimg": {"ema.halflife_kimg": "5"},
}
MANY_IMAGES: dict[str, Change] = {
    BASE: {},
    "batch 16, rates by its root": {"training.batch": "16", **rates(4.2e-3, 2.1e-3)},
    "batch 64, rates by its root": {"training.batch": "64", **rates(8.5e-3, 4.2e-3)},
    "rates 4e-3 and 2e-3": rates(4e-3, 2e-3),
    "warm-up of 2 kimg": {"optimizer.warmup_kimg": "2"},
    "R1=0.3": r1(0.3, 4),
    "R1=3": r1(3, 4),
    "D of width 24": {"discriminator.width": "24"},
    "G of width 48": {"generator.width": "48"},
}
CHANGES = {"auto": FEW_IMAGES, "fast": MANY_IMAGES}
"""By recipe: names and values of `--set`."""


def result_of(asked: argparse.Namespace, folder: str, name: str, change: Change) -> dict[str, Any]:
    """Of one training, from `--out` where it stands there."""
    run = asked.out / f"{folder}.{name.replace(' ', '-')}.{asked.seed}"
    stored = run.with_name(f"{run.name}.json")
    if stored.exists():
        return dict(json.loads(stored.read_text()))
    words = [f"--set={key}={value}" for key, value in change.items()]
    command = [
        sys.executable, "-m", "ganglion.cli.app", "train", str(asked.zips / f"{folder}.zip"), "--recipe", asked.recipe,
        "--minutes", str(asked.minutes), "--seed", str(asked.seed), "--run", str(run), "--no-report", *words,
    ]  # fmt: skip
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, encoding="utf-8")
    if not ganglion.Run(run).steps_saved():
        sys.exit(f"{folder}, {name}: {done.stderr}")
    found = score(ganglion.Run(run))
    stored.write_text(json.dumps(found, indent=1))
    print(f"{folder}, {name}: {found['distance']:.3f}, {found['kimg']:.0f} kimg", flush=True)
    return found


def results_of(
    asked: argparse.Namespace, folders: list[str], changes: dict[str, Change]
) -> dict[str, list[dict[str, Any]]]:
    """By change, one for each folder; of a folder all changes after each other, so that they share what the machine does."""
    with ThreadPoolExecutor(asked.at_once) as pool:
        cases = [(folder, name) for folder in folders for name in changes]
        found = dict(zip(cases, pool.map(lambda case: result_of(asked, *case, changes[case[1]]), cases), strict=True))
    return {name: [found[folder, name] for folder in folders] for name in changes}


def ratio(results: Iterable[dict[str, Any]], unchanged: Iterable[dict[str, Any]]) -> float:
    """Geometric mean of the distances of each over the unchanged one."""
    logs = [
        np.log(max(one["distance"], LEAST) / max(other["distance"], LEAST))
        for one, other in zip(results, unchanged, strict=True)
    ]
    return float(np.exp(np.mean(logs)))


def together(ratios: dict[str, float], changes: dict[str, Change]) -> dict[str, Change]:
    """All that helps at once, of changes of the same values the best one, under its parts' names; empty where nothing does."""
    names: list[str] = []
    chosen: Change = {}
    for name in sorted(ratios, key=lambda name: ratios[name]):
        if ratios[name] < HELPS and not chosen.keys() & changes[name].keys():
            names, chosen = [*names, name], chosen | changes[name]
    return {" + ".join(names): chosen} if names else {}


def table(folders: list[str], results: dict[str, list[dict[str, Any]]]) -> str:
    lines = [f"| change | {' | '.join(folders)} | of the unchanged | kimg |", "|---" * (len(folders) + 3) + "|"]
    for name, found in results.items():
        distances = " | ".join(f"{one['distance']:.2f}, {one['diversity']:.2f}" for one in found)
        kimg = np.mean([one["kimg"] for one in found])
        lines.append(f"| {name} | {distances} | {ratio(found, results[BASE]):.2f} | {kimg:.0f} |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zips", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--on", nargs="+", required=True, help="folders that are searched on")
    parser.add_argument("--then", nargs="*", default=[], help="folders on which the result is tested")
    parser.add_argument("--recipe", choices=list(CHANGES), default="auto")
    parser.add_argument("--only", nargs="+", help="these changes alone, by name")
    parser.add_argument("--minutes", type=float, default=2.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    known = CHANGES[asked.recipe]
    if unknown := set(asked.only or ()) - known.keys():
        sys.exit(f"no change of {asked.recipe}: {', '.join(unknown)}; there are {', '.join(known)}")
    changes = {
        name: change for name, change in known.items() if name == BASE or asked.only is None or name in asked.only
    }
    found = results_of(asked, asked.on, changes)
    ratios = {name: ratio(results, found[BASE]) for name, results in found.items()}
    print(f"\n{asked.minutes:g} minutes of one thread each: distance, and diversity over that of the images\n")
    print(table(asked.on, found))
    best = together(ratios, changes)
    if not best:
        print(f"\nNo change is below {HELPS:g} of the unchanged distance.")
        return
    for folders in filter(None, (asked.on, asked.then)):
        print(f"\n{table(folders, results_of(asked, folders, {BASE: {}, **best}))}")


if __name__ == "__main__":
    main()
