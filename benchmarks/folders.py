"""Folders of images as people have them, each trained with no option but the time: how many end with samples worth keeping?

    python benchmarks/folders.py FOLDER_OF_ZIPS --out results/                  all of them, two at a time, five minutes each
    python benchmarks/folders.py FOLDER_OF_ZIPS --out results/ --only elves flags-world --minutes 2
    python benchmarks/folders.py FOLDER_OF_ZIPS --out results/ --write docs/folders.md --sheets docs/images/folders
    python benchmarks/folders.py FOLDER_OF_ZIPS --out results/ --beside sheets/    samples below images, to look at

Each is `ganglion train ZIP --minutes 5` in a process of one thread. What stands in --out is not trained again. Samples are
compared with the folder's images under SqueezeNet's features (`ganglion[eye]`), which neither training, nor records, nor the
choice of a checkpoint uses: by the energy distance (Székely and Rizzo 2013), which is unbiased for few images, as a share of
that of a Gaussian of the pixels. References on the same folder: one half of the images against the other (the floor), images
blurred by a pixel, and ten images repeated. A folder has converged where its samples are nearer than MARGIN times the nearest
of the last three references, at least LEAST_DIVERSITY as diverse as the images, and no copies.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

import ganglion
from energy_distance import energy_distance, mean_distance
from ganglion.data.alpha import straight
from ganglion.data.pixels import to_float
from ganglion.data.prepare import cache_folder, prepare_again
from ganglion.metrics.extractors import ExtractorContext, find_extractor
from ganglion.metrics.features import array_set
from ganglion.metrics.neighbours import copy_scores
from ganglion.pictures.sheets import sheet
from ganglion.platform.screen import Screen
from marked import fill

MARGIN, LEAST_DIVERSITY, MOST_COPIES = 0.9, 0.7, 0.05
SAMPLES, COMPONENTS, CHUNK = 500, 100, 100
Pixels = NDArray[np.uint8]


def train(zips: Path, out: Path, minutes: float, name: str) -> dict[str, Any]:
    """What was said beforehand and at the end, and how long the training took by the clock."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def command(*words: object) -> subprocess.CompletedProcess[str]:
        asked = [sys.executable, "-m", "ganglion.cli.app", *map(str, words)]
        return subprocess.run(asked, env=environment, capture_output=True, encoding="utf-8")

    source, run = zips / f"{name}.zip", out / name
    checked = command("check", source, "--minutes", minutes, "--json")
    started = time.monotonic()
    done = command("train", source, "--minutes", minutes, "--run", run, "--no-report")
    seconds = time.monotonic() - started
    verdict = command("diagnose", run, "--json")
    return {
        "exit": done.returncode, "seconds": round(seconds, 1), "said": done.stderr[-2000:] + done.stdout[-2000:],
        "check": _json(checked), "verdict": _json(verdict),
    }  # fmt: skip


def _json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return dict(json.loads(done.stdout)) if done.stdout.strip().startswith("{") else {"error": done.stderr[-500:]}


class Judge:
    """Distances to a folder's images, uint8 (N, H, W, C), as shares of that of a Gaussian of their pixels."""

    def __init__(self, reals: Pixels) -> None:
        need = ExtractorContext(array_set("images", _rgb(reals)), cache_folder(), torch.device("cpu"))
        self._extractor, _ = find_extractor("squeezenet", need)
        first = self._features(reals)
        self._centre, self._scale = first.mean(0), float((first - first.mean(0)).square().sum(1).mean().sqrt())
        self.reals = self._scaled(first)
        self.gaussian = energy_distance(self.features(gaussian_of(reals)), self.reals)

    def features(self, images: Pixels) -> torch.Tensor:
        return self._scaled(self._features(images))

    def distance(self, images: Pixels) -> float:
        return energy_distance(self.features(images), self.reals) / self.gaussian

    def floor(self) -> float:
        """Between the two halves."""
        shuffled = self.reals[torch.from_numpy(np.random.default_rng(0).permutation(len(self.reals)))]
        return energy_distance(shuffled[::2], shuffled[1::2]) / self.gaussian

    def diversity(self, images: Pixels) -> float:
        """Mean distance between images, as a share of the reals'."""
        return mean_distance(self.features(images)) / mean_distance(self.reals)

    def copies(self, images: Pixels) -> float:
        """Share of the images that are nearer to a real one than 99 % of the reals are to another one."""
        found = copy_scores(self.reals.numpy(), self.features(images).numpy(), None, np.random.default_rng(0))
        return found.near

    def _features(self, images: Pixels) -> torch.Tensor:
        parts = (to_float(torch.from_numpy(_rgb(images[i : i + CHUNK]))) for i in range(0, len(images), CHUNK))
        return torch.cat([self._extractor.embed(part.contiguous()).features for part in parts]).double().sqrt()

    def _scaled(self, features: torch.Tensor) -> torch.Tensor:
        return (features - self._centre) / self._scale


def gaussian_of(reals: Pixels) -> Pixels:
    """Samples of a Gaussian with the mean and the leading principal components of the pixels."""
    rows = reals.reshape(len(reals), -1).astype(np.float32)
    mean = rows.mean(0)
    _, sizes, components = np.linalg.svd(rows - mean, full_matrices=False)
    count = min(COMPONENTS, len(sizes) - 1)
    weights = np.random.default_rng(0).standard_normal((SAMPLES, count)) * sizes[:count] / np.sqrt(len(rows) - 1)
    return (mean + weights @ components[:count]).clip(0, 255).astype(np.uint8).reshape(-1, *reals.shape[1:])


def blurred(reals: Pixels) -> Pixels:
    images = (Image.fromarray(image.squeeze()).filter(ImageFilter.GaussianBlur(1)) for image in reals)
    return np.stack([np.atleast_3d(np.asarray(image)) for image in images])


def _rgb(images: Pixels) -> Pixels:
    """Gray as it is; RGBA, straight, over white."""
    if images.shape[3] != 4:
        return images
    alpha = images[..., 3:].astype(np.float32) / 255
    return (images[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)


def score(run: ganglion.Run) -> dict[str, Any]:
    """The samples of the best checkpoint beside the references."""
    store = prepare_again(run.recipe.data, cache_folder(), Screen(quiet=True))
    reals, samples = straight(np.asarray(store.images)), ganglion.load(run.path).sample(SAMPLES, seed=1)
    judge = Judge(reals)
    chosen = np.random.default_rng(0).permutation(len(reals))
    records = run.records()
    return {
        "images": len(reals), "size": list(reals.shape[1:]), "recipe": run.recipe.name,
        "distance": judge.distance(samples), "floor": judge.floor(), "blurred": judge.distance(blurred(reals)),
        "repeated": judge.distance(reals[np.repeat(chosen[:10], SAMPLES // 10)]), "diversity": judge.diversity(samples),
        "copies": judge.copies(samples), "kimg": records[-1]["kimg"], "records": len(records),
    }  # fmt: skip


def converged(result: dict[str, Any]) -> bool:
    near = result["distance"] <= MARGIN * min(1.0, result["blurred"], result["repeated"])
    return bool(near and result["diversity"] >= LEAST_DIVERSITY and result["copies"] <= MOST_COPIES)


def measured(zips: Path, out: Path, minutes: float, name: str) -> dict[str, Any]:
    """The result of a folder, from `out` where it stands there."""
    stored = out / f"{name}.json"
    if stored.exists():
        return dict(json.loads(stored.read_text()))
    result: dict[str, Any] = {"name": name} | train(zips, out, minutes, name)
    if ganglion.Run(out / name).steps_saved():
        result |= score(ganglion.Run(out / name))
        result["converged"] = converged(result)
    stored.write_text(json.dumps(result, indent=1))
    print(row(result), flush=True)
    return result


HEAD = (
    "| folder | images | size | kimg | distance | blurred | ten repeated | floor | diversity | copies | converged "
    + "| relative |\n"
    + "|---" * 12
    + "|"
)
PAGE = "docs/folders.md"


def row(result: dict[str, Any]) -> str:
    if "distance" not in result:
        return f"| {result['name']} | failed: exit code {result['exit']} |" + " |" * 10
    numbers = " | ".join(
        f"{result[key]:.2f}" for key in ("distance", "blurred", "repeated", "floor", "diversity", "copies")
    )
    answer = "yes" if result["converged"] else "no"
    height, width, channels = result["size"]
    said = (result["verdict"].get("forecast") or {}).get("relative_distance")
    size = f"{height}x{width}{' RGBA' if channels == 4 else ''}"
    last = "-" if said is None else f"{said:.2f}"
    return f"| {result['name']} | {result['images']} | {size} | {result['kimg']:.0f} | {numbers} | {answer} | {last} |"


def table(results: list[dict[str, Any]]) -> str:
    """With what it comes to below, and how far the share of the others would have foretold each."""
    trained = [result for result in results if "distance" in result]
    hits = np.array([result["converged"] for result in trained])
    lines = [HEAD, *(row(result) for result in results), ""]
    if len(trained) < 2:
        return "\n".join(lines)
    others = (hits.sum() - hits) / (len(hits) - 1)
    halves = sum(result["distance"] < 0.5 for result in trained)
    failed = {
        "blurred": sum(result["distance"] > MARGIN * result["blurred"] for result in trained),
        "repeated": sum(result["distance"] > MARGIN * result["repeated"] for result in trained),
        "a Gaussian": sum(result["distance"] > MARGIN for result in trained),
    }
    beaten = ", ".join(f"{len(trained) - count} {name}" for name, count in failed.items())
    lines.append(
        f"{len(trained)} of {len(results)} trained, {hits.sum()} converged; nearer than {MARGIN:g} times: {beaten}. Median "
        f"distance {np.median([result['distance'] for result in trained]):.2f}; {halves} are below 0.5. As a forecast the "
        f"share of the other folders that converged has a Brier score of {np.mean((others - hits) ** 2):.2f}."
    )
    return "\n".join(lines)


def draw(out: Path, sheets: Path, name: str, beside: bool) -> None:
    """Twenty samples as JPEG; `beside`: below ten images."""
    run = ganglion.Run(out / name)
    shown = ganglion.load(run.path).sample(20, seed=1)
    if beside:
        store = prepare_again(run.recipe.data, cache_folder(), Screen(quiet=True))
        chosen = np.random.default_rng(0).permutation(len(store.images))[:10]
        shown = np.concatenate([straight(np.asarray(store.images[np.sort(chosen)])), shown])
    page = sheet(shown, columns=10)
    sheets.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_rgb(page[None])[0].squeeze()).convert("RGB").save(sheets / f"{name}.jpg", quality=70)


def measured_rows(results: list[dict[str, Any]], out: Path) -> list[dict[str, object]]:
    """What check says of similar folders rests on: the relative distance after a quarter, a half and all of a run."""
    rows: list[dict[str, object]] = []
    for result in results:
        if "distance" not in result:
            continue
        known = [r for r in ganglion.Run(out / result["name"]).records() if r.get("relative_distance") is not None]
        whole = known[-1]["kimg"]
        picked = {
            min(range(len(known)), key=lambda i, s=share: abs(known[i]["kimg"] - s * whole)) for share in (0.25, 0.5, 1)
        }
        rows += [
            {"what": result["name"], "recipe": result["recipe"], "images": result["images"], "side": min(result["size"][:2]),
             "kimg": round(known[i]["kimg"], 1), "relative_distance": round(known[i]["relative_distance"], 3), "source": PAGE}
            for i in sorted(picked)
        ]  # fmt: skip
    return rows


def write_measured(path: Path, rows: list[dict[str, object]]) -> None:
    """These in place of the rows of the page that stand there."""
    with path.open(encoding="utf-8", newline="") as file:
        kept = [row for row in csv.DictReader(file) if row["source"] != PAGE]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(kept[0]), lineterminator="\n")
        table.writeheader()
        table.writerows([*kept, *rows])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zips", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--sheets", type=Path, help="folder for a sheet of samples of each, JPEG")
    parser.add_argument("--beside", type=Path, help="the same below images of the folder")
    parser.add_argument("--write", type=Path, help="a page with the two marks")
    parser.add_argument(
        "--measured", type=Path, help="src/ganglion/recipe/measured.csv, whose rows of folders are replaced"
    )
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    names = asked.only or sorted(path.stem for path in asked.zips.glob("*.zip"))
    with ThreadPoolExecutor(asked.at_once) as pool:
        results = list(pool.map(partial(measured, asked.zips, asked.out, asked.minutes), names))
    print(
        f"\n{asked.minutes:g} minutes each, one thread; distances: 0 as other images of the folder, 1 as a Gaussian\n"
    )
    print(table(results))
    if asked.write:
        fill(asked.write, "folders", table(results))
    if asked.measured:
        write_measured(asked.measured, measured_rows(results, asked.out))
    for sheets, beside in ((asked.sheets, False), (asked.beside, True)):
        for result in results:
            if sheets and "distance" in result:
                draw(asked.out, sheets, result["name"], beside)


if __name__ == "__main__":
    main()
