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
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.stats import binomtest

import ganglion
from folder_judge import SAMPLES, FolderJudge, blurred, repeated, rgb
from foretold import after_a_tenth, foretold
from ganglion.data.alpha import straight
from ganglion.data.prepare import cache_folder, prepare_again
from ganglion.pictures.sheets import sheet
from ganglion.platform.screen import Screen
from ganglion.recipe.measured import MeasuredRun
from marked import fill

MARGIN, LEAST_DIVERSITY, MOST_COPIES = 0.9, 0.7, 0.05
COMPARED = 1000  # images of a larger set, chosen at random


def train(asked: argparse.Namespace, name: str) -> dict[str, Any]:
    """What was said beforehand and at the end, and how long the training took by the clock."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def command(*words: object) -> subprocess.CompletedProcess[str]:
        asked = [sys.executable, "-m", "ganglion.cli.app", *map(str, words)]
        return subprocess.run(asked, env=environment, capture_output=True, encoding="utf-8")

    run = asked.out / name
    images = (asked.zips / f"{name}.zip", "--minutes", asked.minutes, *shlex.split(asked.options))
    checked = command("check", *images, "--json")
    started = time.monotonic()
    done = command("train", *images, "--run", run, "--no-report")
    seconds = time.monotonic() - started
    verdict = command("diagnose", run, "--json")
    return {
        "exit": done.returncode, "seconds": round(seconds, 1), "said": done.stderr[-2000:] + done.stdout[-2000:],
        "check": _json(checked), "verdict": _json(verdict),
    }  # fmt: skip


def _json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return dict(json.loads(done.stdout)) if done.stdout.strip().startswith("{") else {"error": done.stderr[-500:]}


def score(run: ganglion.Run) -> dict[str, Any]:
    """The samples of the best checkpoint beside the references."""
    store = prepare_again(run.recipe.data, cache_folder(), Screen(quiet=True))
    chosen = np.sort(np.random.default_rng(0).permutation(len(store.images))[:COMPARED])
    reals, samples = straight(store.images[chosen]), ganglion.load(run.path).sample(SAMPLES, seed=1)
    judge, records = FolderJudge(reals), run.records()
    return {
        "images": len(store.images), "size": list(reals.shape[1:]), "recipe": run.recipe.name,
        "distance": judge.distance(samples), "floor": judge.floor(), "blurred": judge.distance(blurred(reals)),
        "repeated": judge.distance(repeated(reals)), "diversity": judge.diversity(samples),
        "copies": judge.copies(samples), "kimg": records[-1]["kimg"], "records": len(records),
    }  # fmt: skip


def converged(result: dict[str, Any]) -> bool:
    near = result["distance"] <= MARGIN * min(1.0, result["blurred"], result["repeated"])
    return bool(near and result["diversity"] >= LEAST_DIVERSITY and result["copies"] <= MOST_COPIES)


def measured(asked: argparse.Namespace, name: str) -> dict[str, Any]:
    """The result of a folder, from `--out` where it stands there."""
    stored, run = asked.out / f"{name}.json", ganglion.Run(asked.out / name)
    if stored.exists():
        return dict(json.loads(stored.read_text()))
    result: dict[str, Any] = {"name": name} | train(asked, name)
    if run.steps_saved():
        result |= score(run)
        result["converged"] = converged(result)
    stored.write_text(json.dumps(result, indent=1))
    print(row(result), flush=True)
    return result


HEAD = (
    "| folder | images | size | kimg | distance | blurred | ten repeated | floor | diversity | copies | converged "
    + "| relative | chance after a tenth |\n"
    + "|---" * 13
    + "|"
)
PAGE = "docs/folders.md"


def row(result: dict[str, Any]) -> str:
    if "distance" not in result:
        return f"| {result['name']} | failed: exit code {result['exit']} |" + " |" * 11
    numbers = " | ".join(
        f"{result[key]:.2f}" for key in ("distance", "blurred", "repeated", "floor", "diversity", "copies")
    )
    answer = "yes" if result["converged"] else "no"
    height, width, channels = result["size"]
    said = (result["verdict"].get("forecast") or {}).get("relative_distance")
    size = f"{height}x{width}{' RGBA' if channels == 4 else ''}"
    last = "-" if said is None else f"{said:.2f}"
    chance = "-" if result.get("chance") is None else f"{result['chance']:.0%}"
    return (
        f"| {result['name']} | {result['images']} | {size} | {result['kimg']:.0f} | {numbers} | {answer} | {last} "
        f"| {chance} |"
    )


def table(results: list[dict[str, Any]], out: Path) -> str:
    """With what it comes to below, and how well that was foretold."""
    trained = [result for result in results if "distance" in result]
    for result in trained:
        result["chance"] = after_a_tenth(ganglion.Run(out / result["name"]))
    lines = [HEAD, *(row(result) for result in results)]
    if len(trained) > 1:
        lines += ["", summary(results, trained), "", foretold(trained, rows_of(trained, out))]
    return "\n".join(lines)


def summary(results: list[dict[str, Any]], trained: list[dict[str, Any]]) -> str:
    count = sum(result["converged"] for result in trained)
    interval = binomtest(count, len(trained)).proportion_ci(method="wilson")
    beaten = {
        "blurred images": sum(result["distance"] <= MARGIN * result["blurred"] for result in trained),
        "ten repeated": sum(result["distance"] <= MARGIN * result["repeated"] for result in trained),
        "a Gaussian": sum(result["distance"] <= MARGIN for result in trained),
    }
    halves = sum(result["distance"] < 0.5 for result in trained)
    within = ", ".join(f"{name}: {n}" for name, n in beaten.items())
    return (
        f"{len(trained)} of {len(results)} trained, {count} converged (95 % interval of the share: {interval.low:.2f} to "
        f"{interval.high:.2f}). Within {MARGIN:g} times the distance of {within}. "
        f"Median distance {np.median([result['distance'] for result in trained]):.2f}; {halves} are below 0.5."
    )


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
    Image.fromarray(rgb(page[None])[0].squeeze()).convert("RGB").save(sheets / f"{name}.jpg", quality=70)


def rows_of(results: list[dict[str, Any]], out: Path) -> list[MeasuredRun]:
    """What check says of similar folders rests on: the relative distance after a quarter, a half and all of a run."""
    rows: list[MeasuredRun] = []
    for result in results:
        known = [r for r in ganglion.Run(out / result["name"]).records() if r.get("relative_distance") is not None]
        whole = known[-1]["kimg"]
        picked = {
            min(range(len(known)), key=lambda i, s=share: abs(known[i]["kimg"] - s * whole)) for share in (0.25, 0.5, 1)
        }
        rows += [
            MeasuredRun(
                result["name"], result["recipe"], result["images"], min(result["size"][:2]),
                round(known[i]["kimg"], 1), round(known[i]["relative_distance"], 3), PAGE,
            )
            for i in sorted(picked)
        ]  # fmt: skip
    return rows


def write_measured(path: Path, rows: list[MeasuredRun]) -> None:
    """These in place of the rows of the page that stand there."""
    with path.open(encoding="utf-8", newline="") as file:
        kept = [row for row in csv.DictReader(file) if row["source"] != PAGE]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, MeasuredRun._fields, lineterminator="\n")
        table.writeheader()
        table.writerows([*kept, *(row._asdict() for row in rows)])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zips", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--options", default="", help='more of `ganglion train`, as "--recipe fastgan --size 128"')
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
        results = list(pool.map(partial(measured, asked), names))
    print(
        f"\n{asked.minutes:g} minutes each, one thread; distances: 0 as other images of the folder, 1 as a Gaussian\n"
    )
    page = table(results, asked.out)
    print(page)
    if asked.write:
        fill(asked.write, "folders", page)
    if asked.measured:
        write_measured(asked.measured, rows_of([result for result in results if "distance" in result], asked.out))
    for sheets, beside in ((asked.sheets, False), (asked.beside, True)):
        for result in results:
            if sheets and "distance" in result:
                draw(asked.out, sheets, result["name"], beside)


if __name__ == "__main__":
    main()
