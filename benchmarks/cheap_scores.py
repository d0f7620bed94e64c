"""Which cheap score ranks checkpoints as the full one does? For runs whose checkpoints were all kept.

    ganglion train SOURCE --set training.keep_checkpoints=1000 --set training.snapshot_kimg=20 --run a
    python benchmarks/cheap_scores.py a b c d --out ranks.jsonl

The full score is the Fréchet distance of 5,000 samples under the features --full. Printed for each candidate: Spearman's
rank correlation with it over the checkpoints of each run, how much worse the checkpoint is that it would have chosen
(1: it chose the best), and its seconds a checkpoint, drawing samples included.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

import ganglion
from ganglion.data.pixels import to_float
from ganglion.data.prepare import cache_folder
from ganglion.evaluation.real_images import find_real
from ganglion.metrics.distances import frechet_distance, kernel_distance, moments
from ganglion.metrics.extractors import ExtractorContext, find_extractor
from ganglion.metrics.features import Extractor, ImageSet, array_set, extract
from ganglion.metrics.learned import feature_training_split
from ganglion.metrics.sliced_wasserstein import sliced_wasserstein
from ganglion.platform.screen import Screen
from ganglion.runs.folder import Run

SAMPLES, CHECKPOINTS = 5000, 10
CPU = torch.device("cpu")
Features = np.ndarray
Candidate = Callable[[ImageSet, ImageSet], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--full", default="learned", help="features of the full score")
    asked = parser.parse_args()
    done = (
        {row["run"]: row for row in map(json.loads, asked.out.read_text().splitlines())} if asked.out.exists() else {}
    )
    for run in asked.runs:
        if run.name not in done:
            done[run.name] = row = examine(run, asked.samples, asked.full)
            with asked.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
        print(table([done[run.name]]), flush=True)
    print(table([done[run.name] for run in asked.runs]))


def examine(run: Path, n_samples: int, features: str) -> dict:
    real = find_real(Run(run).recipe.data, None, None, cache_folder(), Screen(quiet=True)).images
    need = ExtractorContext(real, cache_folder(), CPU)
    learned, untrained, pixels = (find_extractor(name, need)[0] for name in (features, "random", "pixels"))
    real = real.pick(
        np.flatnonzero(~feature_training_split(real))
    )  # those that the learned features were not trained on
    reals = real.pick(np.sort(np.random.default_rng(0).permutation(len(real))[:2000]))
    candidates: dict[str, tuple[int, Candidate]] = {
        "swd 256": (256, patches), "swd 1000": (1000, patches), "swd 2000": (2000, patches),
        "random kid 1000": (1000, kid(untrained, real)), "random kid 2000": (2000, kid(untrained, real)),
        "random fid 1000": (1000, fid(untrained, real)), "random fid 2000": (2000, fid(untrained, real)),
        "pixels fid 2000": (2000, fid(pixels, real)),
        f"{features} kid 1000": (1000, kid(learned, real)), f"{features} fid 1000": (1000, fid(learned, real)),
    }  # fmt: skip
    full = fid(learned, real)
    steps = Run(run).steps_saved()
    steps = [steps[place] for place in np.unique(np.linspace(0, len(steps) - 1, CHECKPOINTS).astype(int))]
    row: dict = {"run": run.name, "steps": steps, "full": [], "values": {name: [] for name in candidates}}
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for step in steps:
        model = ganglion.load(run, step)
        began = time.perf_counter()
        samples = model.sample(n_samples, seed=1)
        each = (time.perf_counter() - began) / n_samples
        row["full"].append(full(reals, array_set("samples", samples)))
        for name, (n, candidate) in candidates.items():
            fakes = array_set("samples", samples[:n])
            began = time.perf_counter()
            row["values"][name].append(candidate(reals, fakes))
            seconds[name].append(time.perf_counter() - began + n * each)
    row["seconds"] = {name: float(np.median(values)) for name, values in seconds.items()}
    return row


def patches(reals: ImageSet, fakes: ImageSet) -> float:
    n = min(len(reals), len(fakes))
    pair = (to_float(torch.from_numpy(np.array(images.images[:n]))) for images in (reals, fakes))
    return sliced_wasserstein(*pair, np.random.default_rng(0))


def kid(extractor: Extractor, real: ImageSet) -> Candidate:
    known = np.array(extract(real, extractor, cache_folder() / "features").features)
    return lambda _, fakes: kernel_distance(known, seen(fakes, extractor), np.random.default_rng(0)).value


def fid(extractor: Extractor, real: ImageSet) -> Candidate:
    known = moments(extract(real, extractor, cache_folder() / "features").features)
    return lambda _, fakes: frechet_distance(known, moments(seen(fakes, extractor)))


def seen(fakes: ImageSet, extractor: Extractor) -> Features:
    chunks = (fakes.images[first : first + 250] for first in range(0, len(fakes), 250))
    with torch.no_grad():
        return np.concatenate(
            [extractor.embed(to_float(torch.from_numpy(chunk)).contiguous()).features.numpy() for chunk in chunks]
        )


def table(rows: list[dict]) -> str:
    lines = [f"| score | {' | '.join(row['run'] for row in rows)} | mean | worst loss | seconds |"]
    lines.append("|---" * (len(rows) + 4) + "|")
    for name in rows[0]["values"]:
        ranks = [spearmanr(row["values"][name], row["full"]).statistic for row in rows]
        losses = [row["full"][int(np.argmin(row["values"][name]))] / min(row["full"]) for row in rows]
        cost = float(np.mean([row["seconds"][name] for row in rows]))
        cells = " | ".join(f"{rank:.2f} ({loss:.2f})" for rank, loss in zip(ranks, losses, strict=True))
        lines.append(f"| {name} | {cells} | {np.mean(ranks):.3f} | {max(losses):.2f} | {cost:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
