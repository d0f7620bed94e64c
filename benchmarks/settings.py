"""Settings of a recipe against each other at equal time, or at equal images: which of them ends with the better samples?

    python benchmarks/settings.py mnist --data-dir mnist/ --recipe fast --out results/ \\
        --variant balance.updates=alternating --variant balance.updates=simultaneous --seconds 60 --seeds 0 1 2 3 4

First all variants take steps in turn, in CPU seconds of one thread, so that each one's speed is known on the same machine;
then each trains for as many images as it would see in `--seconds`, or with --equal-images for those of the first variant. So
other work on the machine changes how long this takes, not what it finds. Samples are scored by the Fréchet distance under
features that are trained on the data (`learned`), which neither training, nor vitals, nor the choice of a checkpoint uses.
What stands in --out is not trained again.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

import ganglion
from ganglion.errors import TrainingFailed
from ganglion.evaluation.evaluate import evaluate
from ganglion.platform.devices import fabric_precision, keep_freed_memory
from ganglion.platform.interrupt import Interrupt
from ganglion.platform.numerics import reproducible
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import parse_assignments, update
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.loop import train_loop
from ganglion.training.own import Own
from ganglion.training.prepare import batches_of, build_first_players, prepare_run

ROUNDS, LEAST_SECONDS = 5, 0.5  # of speed: a round is at least this long


def speeds(asked: argparse.Namespace, variants: dict[str, dict[str, object]]) -> dict[str, float]:
    """Images per CPU second of one thread; medians of rounds in which the variants take turns."""
    trainings = {name: training(asked, settings) for name, settings in variants.items()}
    counts = {name: _steps_in(train) for name, train in trainings.items()}
    found: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, train in trainings.items():
            found[name].append(train(counts[name]))
    return {name: statistics.median(rates) for name, rates in found.items()}


def _steps_in(train: Any) -> int:
    steps, started = 4, time.process_time()
    train(steps)
    return max(steps, int(steps * LEAST_SECONDS / (time.process_time() - started)))


def training(asked: argparse.Namespace, settings: dict[str, object]) -> Any:
    """A function that trains so many steps and returns images a second."""
    request: Any = {"recipe": asked.recipe, "size": asked.size, "steps": 1, "data_dir": asked.data_dir, "set": settings}
    prepared = prepare_run(asked.source, request, Screen(quiet=True), "cpu", 1, None, Own())
    recipe, batches = prepared.recipe, batches_of(prepared)
    players = build_first_players(recipe, batches, Own())
    fabric = Fabric(accelerator="cpu", devices=1, precision=fabric_precision(recipe.training.precision))

    def train(steps: int) -> float:
        progress = TrainingProgress()
        budget = update(recipe, training__steps=steps, training__minutes=None, training__kimg=None)
        started = time.process_time()
        with reproducible(), keep_freed_memory():
            train_loop(fabric, budget, batches, players, progress, None, Interrupt())
        return progress.images / (time.process_time() - started)

    return train


def score(asked: argparse.Namespace, name: str, settings: dict[str, object], kimg: float, seed: int) -> dict[str, Any]:
    run = asked.out / f"{asked.recipe}-{name.replace('=', '-').replace(' ', '+')}-{seed}"
    started = time.process_time()
    with suppress(TrainingFailed):  # all is saved by then
        ganglion.train(
            asked.source, recipe=asked.recipe, size=asked.size, kimg=kimg, seed=seed, run=run, set=settings,
            data_dir=asked.data_dir, quiet=True, at_end=lambda _: None,
        )  # fmt: skip
    seconds = time.process_time() - started
    found = evaluate(
        run, metrics=["fid"], n=asked.samples, features=asked.features, data_dir=asked.data_dir, quiet=True
    )
    return {"seconds": round(seconds, 1), "fid": found["fid"]}


def table(asked: argparse.Namespace, variants: list[str], rates: dict[str, float], results: dict[str, Any]) -> str:
    first = variants[0]
    lines = ["| variant | images/s | FID, median | of the first variant's, by seed |", "|---|---|---|---|"]
    for name in variants:
        scores = [results[f"{name} {seed}"]["fid"] for seed in asked.seeds]
        of_first = [results[f"{first} {seed}"]["fid"] for seed in asked.seeds]
        ratios = ", ".join(f"{ours / theirs:.2f}" for ours, theirs in zip(scores, of_first, strict=True))
        lines.append(f"| {name} | {rates[name]:,.0f} | {statistics.median(scores):.2f} | {ratios} |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--data-dir")
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--variant", action="append", required=True, help="KEY=VALUE, several parted by spaces")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of all variants")
    parser.add_argument("--seconds", type=float, default=60, help="CPU seconds of one thread")
    parser.add_argument("--equal-images", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--features", default="learned", help="of the score")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # of processes that are started from here
    asked.out.mkdir(parents=True, exist_ok=True)
    common = parse_assignments(asked.set)
    variants = {name: {**common, **parse_assignments(name.split())} for name in asked.variant}
    stored = asked.out / f"{asked.recipe}.json"
    results: dict[str, Any] = json.loads(stored.read_text()) if stored.exists() else {}
    if (rates := results.get("rates", {})).keys() < variants.keys() or not rates:
        results["rates"] = rates = speeds(asked, variants)
    for seed in asked.seeds:
        for name, settings in variants.items():
            if f"{name} {seed}" not in results:
                kimg = rates[asked.variant[0] if asked.equal_images else name] * asked.seconds / 1000
                results[f"{name} {seed}"] = {"kimg": kimg, **score(asked, name, settings, kimg, seed)}
                stored.write_text(json.dumps(results, indent=1))
                print(name, seed, results[f"{name} {seed}"], flush=True)
    equal = f"the images of {asked.variant[0]} in " if asked.equal_images else ""
    print(f"\n{asked.source}, recipe {asked.recipe}, {equal}{asked.seconds:g} CPU seconds of one thread\n")
    print(table(asked, list(variants), rates, results))


if __name__ == "__main__":
    main()
