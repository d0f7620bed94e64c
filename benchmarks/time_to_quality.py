"""CPU seconds until samples of MNIST at 32x32 are as good as asked for, for our recipes and for the tutorials' loop.

    python benchmarks/time_to_quality.py --mnist mnist/ --out results/ --seeds 0 1 2
    python benchmarks/time_to_quality.py --mnist mnist/ --out results/ --recipes auto dcgan-example --rungs 15 30 60

Quality is the Fréchet distance of 5,000 samples under the classifier of judge.py. Every trainer reads the same PNG files, in
one process with one thread, and its clock is time.process_time() from the end of its imports, so that scanning and
packing count; dcgan-example is the loop of peer_trainers/example.py.

The ladder of --rungs is climbed in two ways. Where the learning rate is constant (`dcgan`, dcgan-example), samples are
drawn at every rung of one run. `auto` and `fast` end a cosine schedule at the end of their budget, so a longer run is no
better half-way than a shorter one at its end: each rung is a run of that budget, until one is below the last threshold.
The time is the first rung whose distance is below the threshold; with rungs a factor of 1.5 apart it can be too long by
that factor, for every trainer alike.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from peer_trainers.pictures import mnist_files
from peer_trainers.scores import Scorer, digit_scorer
from peers import Pictures, scored, train

THRESHOLDS = (100.0, 60.0, 30.0)
RUNGS = (14.0, 20.0, 30.0, 45.0, 68.0, 100.0, 150.0, 225.0)
TUTORIAL = "dcgan-example"
SCHEDULED = ("auto", "fast")
RECIPES = (*SCHEDULED, "dcgan", TUTORIAL)


def climb(recipe: str, pictures: Pictures, scorer: Scorer, seed: int, asked: argparse.Namespace) -> list[list[float]]:
    """Pairs of CPU seconds and distance, ascending, to the first below the last threshold if the schedule ends with the run."""
    place = asked.out / f"{recipe}-{seed}"

    def run(marks: list[float]) -> list[list[float]]:
        taken = train(recipe, pictures, seed, marks, asked.samples, sys.executable, place)
        return [[mark["seconds"], mark["fid"]] for mark in scored(taken, scorer, place)]

    if recipe not in SCHEDULED:
        return run(asked.rungs)
    steps: list[list[float]] = []
    for rung in asked.rungs:
        steps += run([rung])
        if steps[-1][1] < THRESHOLDS[-1]:
            break
    return steps


def seconds_to(threshold: float, steps: list[list[float]]) -> float | None:
    """The first rung below the threshold; None where there is none."""
    return next((seconds for seconds, fid in steps if fid < threshold), None)


def table(results: list[dict[str, Any]]) -> str:
    """A row for each recipe: the median over seeds for each threshold, then how many times sooner than the tutorial's loop."""
    longest = max(steps[-1][0] for steps in (r["steps"] for r in results))
    times = {
        recipe: {t: [seconds_to(t, r["steps"]) for r in results if r["recipe"] == recipe] for t in THRESHOLDS}
        for recipe in dict.fromkeys(r["recipe"] for r in results)
    }
    lines = [
        "| recipe | " + " | ".join(f"FID below {t:g}" for t in THRESHOLDS) + " |",
        "|---" * (1 + len(THRESHOLDS)) + "|",
    ]
    for recipe, found in times.items():
        cells = [_cell(found[t], times.get(TUTORIAL, {}).get(t, []), longest) for t in THRESHOLDS]
        lines.append(f"| `{recipe}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(ours: list[float | None], theirs: list[float | None], longest: float) -> str:
    """Seconds; against the tutorial's, which are at least the longest run where they are not known."""
    middle = median(longest * 10 if t is None else t for t in ours)
    if middle > longest:
        return f"not in {longest:.0f} s"
    if not theirs or ours == theirs:
        return f"{middle:.0f} s"
    known = median(longest * 10 if t is None else t for t in theirs)
    more = "more than " if known > longest else ""
    return f"{middle:.0f} s, {more}{min(known, longest) / middle:.1f} times sooner"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, required=True, help="MNIST in its IDX files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rungs", nargs="+", type=float, default=list(RUNGS), help="CPU seconds, ascending")
    parser.add_argument("--samples", type=int, default=5000)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    file = asked.out / "time_to_quality.jsonl"
    results = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    digits = mnist_files(asked.mnist, asked.out / "mnist")
    scorer = digit_scorer(digits, asked.mnist)
    pictures = Pictures("mnist", digits, 32, 1, lambda: scorer)
    for seed in asked.seeds:
        for recipe in asked.recipes:
            if any((r["recipe"], r["seed"]) == (recipe, seed) for r in results):
                continue
            results.append({"recipe": recipe, "seed": seed, "steps": climb(recipe, pictures, scorer, seed, asked)})
            with file.open("a") as log:
                log.write(json.dumps(results[-1]) + "\n")
            print(results[-1], flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
