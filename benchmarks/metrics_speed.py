"""How long scores take, and how much memory: each measurement in a process of its own.

    python benchmarks/metrics_speed.py SOURCE

SOURCE holds at least 50,000 images, such as CIFAR-10. Measured at 32x32: all scores of 10,000 images against 10,000 with
features `learned` and `random` (real features not yet known, the network of `learned` trained before), the Fréchet
distance of 50,000, and its last step against scipy's sqrtm.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.linalg
import torch

from ganglion.data.prepare import cache_folder, prepare
from ganglion.metrics.distances import Moments, frechet_distance, moments
from ganglion.metrics.evaluation import DEFAULT_SCORES, evaluate_sets
from ganglion.metrics.extractors import ExtractorContext, find_extractor
from ganglion.metrics.features import ImageSet, store_set
from ganglion.metrics.learned import feature_training_split
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Data

CPU = torch.device("cpu")


def scores(source: str, features: str, n: int, names: tuple[str, ...]) -> dict[str, object]:
    """Scores the first n images of a fixed order against the next n."""
    everything = store_set(prepare(Data(source=source, size=(32, 32)), cache_folder(), Screen(quiet=True)))
    usable = (
        np.flatnonzero(~feature_training_split(everything)) if features == "learned" else np.arange(len(everything))
    )
    order = np.random.default_rng(0).permutation(usable)
    count = min(n, len(order) // 2)
    real, fake = (part(everything, order[first : first + count]) for first in (0, count))
    if n > count:  # all images, as the reals of a large data set and as many samples
        real, fake = everything, part(everything, order)
    extractor, _ = find_extractor(features, ExtractorContext(everything, cache_folder(), CPU))
    with tempfile.TemporaryDirectory() as empty:
        began = time.perf_counter()
        found = evaluate_sets(real, [fake], extractor, Path(empty), Screen(quiet=True), names)
        seconds = time.perf_counter() - began
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"n": len(real), "scores": len(found.scores), "seconds": round(seconds, 1), "peak_gb": round(peak_gb, 2)}


def part(images: ImageSet, chosen: np.ndarray) -> ImageSet:
    return images.pick(np.sort(chosen))


def frechet(width: int) -> dict[str, float]:
    """Our last step against scipy's square root, for Gaussians whose distance is known: B's axes are those of A."""
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.normal(size=(width, width)))[0]
    values_a, values_b = (
        np.exp(random.normal(0, 3, width)) for _ in range(2)
    )  # spread over many orders, as features are
    a, b = (Moments(np.zeros(width), (axes * values) @ axes.T) for values in (values_a, values_b))
    expected = float(np.square(np.sqrt(values_a) - np.sqrt(values_b)).sum())
    began = time.perf_counter()
    ours = frechet_distance(a, b)
    ours_sec = time.perf_counter() - began
    began = time.perf_counter()
    root = scipy.linalg.sqrtm(a.covariance @ b.covariance)
    theirs = float(np.trace(a.covariance) + np.trace(b.covariance) - 2 * np.trace(root).real)
    theirs_sec = time.perf_counter() - began
    return {
        "features": width, "ours_sec": round(ours_sec, 2), "sqrtm_sec": round(theirs_sec, 2),
        "ours_error": abs(ours / expected - 1), "sqrtm_error": abs(theirs / expected - 1),
        "sqrtm_imaginary": float(np.abs(np.imag(root)).max()),
    }  # fmt: skip


def moments_seconds(n: int, width: int) -> float:
    features = np.random.default_rng(0).normal(size=(n, width)).astype(np.float32)
    began = time.perf_counter()
    moments(features)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument(
        "--images", type=int, default=10_000, help="of each set; five times as many for the distance alone"
    )
    parser.add_argument("--features", nargs="+", default=["learned", "random"])
    parser.add_argument("--widths", nargs="+", type=int, default=[128, 448, 2048], help="features of a Gaussian")
    parser.add_argument("--only", help="for the process of one measurement: its features, number of images and scores")
    asked = parser.parse_args()
    if asked.only:
        features, n, names = asked.only.split(" ")
        print(json.dumps(scores(asked.source, features, int(n), DEFAULT_SCORES if names == "all" else (names,))))
        return
    many = 5 * asked.images
    for only in (*(f"{name} {asked.images} all" for name in asked.features), f"{asked.features[-1]} {many} fid"):
        words = [sys.executable, __file__, asked.source, "--only", only]
        print(only, subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip(), flush=True)
    for width in asked.widths:
        print("frechet", json.dumps(frechet(width)), flush=True)
    widest = max(asked.widths)
    print(f"moments of {many:,} x {widest:,}: {moments_seconds(many, widest):.1f} s")


if __name__ == "__main__":
    main()
