"""Images a second and samples after equal CPU time: `ganglion train` beside what people would install instead.

    python benchmarks/peers.py --mnist mnist/ --flowers flowers17-128.zip --out results/ --seconds 60 --seeds 0 1 2
    python benchmarks/peers.py --mnist mnist/ --flowers flowers17-128.zip --out results/ --trainers fast dcgan-example

Every trainer reads the same files, MNIST at 32x32 and flowers at 64x64, with the settings of its own command, or of its
first example where it has no command. Packages are installed into RESULTS/venv, which also sees this Python's packages;
--python names another one. There is no CPU build of torchvision beside the torch that we pin: peer_trainers/stand_in
has the few functions of it that they call, on their path alone. peer_trainers/packages.py says what else is put right.

The machine may be shared, so the budget is CPU time, not minutes: each trainer is one process with one thread
(OMP_NUM_THREADS=1), images are loaded in it (num_workers=0), and it has --seconds of time.process_time() from the end of
its imports. Scanning and packing are part of ours. At each mark 1,000 samples are drawn from the weights that the trainer
itself would use, outside the clock. Results are lines of results.jsonl; what is there is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ganglion.pictures.sheets import save_image, sheet
from peer_trainers.job import OURS
from peer_trainers.pictures import flower_files, mnist_files
from peer_trainers.scores import Scorer, digit_scorer, flower_scorer

HERE = Path(__file__).parent / "peer_trainers"
PLAIN = "dcgan-example"
PACKAGES = ("torchgan-dcgan", "stylegan2-pytorch", "lightweight-gan", "mimicry-sngan", "mimicry-wgan-gp")
TRAINERS = (*OURS, PLAIN, *PACKAGES)
MARKS = (0.25, 0.5, 1.0)  # of the budget
REQUIREMENTS = (
    "torch-mimicry==0.1.16", "torchgan==0.1.0", "lightweight-gan==1.2.1", "stylegan2-pytorch==1.9.0", "adabelief-pytorch",
    "kornia", "kornia-rs", "einops", "fire", "retry", "py", "decorator", "colorama", "tabulate", "termcolor", "future",
    "six", "tqdm", "vector-quantize-pytorch==0.1.0",
)  # fmt: skip


@dataclass(frozen=True)
class Pictures:
    """A set of images, in files, and how samples of it are scored."""

    name: str
    folder: Path
    size: int
    channels: int
    scorer: Callable[[], Scorer]


def pictures_of(asked: argparse.Namespace) -> list[Pictures]:
    found = []
    if asked.mnist:
        digits = mnist_files(asked.mnist, asked.out / "mnist")
        found.append(Pictures("mnist", digits, 32, 1, lambda: digit_scorer(digits, asked.mnist)))
    if asked.flowers:
        flowers = flower_files(asked.flowers, asked.out / "flowers")
        found.append(Pictures("flowers", flowers, 64, 3, lambda: flower_scorer(flowers)))
    return found


def environment(folder: Path) -> str:
    """The Python of an environment with the packages, which sees the packages of this one too; made if it is not there."""
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, clear=True, with_pip=True)
        site = next((folder / "lib").glob("python*/site-packages"))
        (site / "host.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *REQUIREMENTS], check=True)
        (folder / "complete").touch()
    return str(python)


def train(trainer: str, pictures: Pictures, seed: int, marks: list[float], samples: int, python: str, out: Path) -> Any:
    """The trainer's marks, each with the file of its samples, from a process of its own."""
    command = [
        sys.executable if trainer in OURS else python, str(HERE / "run.py"), trainer, "--images", str(pictures.folder),
        "--size", str(pictures.size), "--channels", str(pictures.channels), "--samples", str(samples),
        "--seed", str(seed), "--out", str(out), "--marks", *map(str, marks),
    ]  # fmt: skip
    shutil.rmtree(out, ignore_errors=True)
    with Path(f"{out}.log").open("wb") as log:
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=log, stderr=log)
    return json.loads((out / "marks.json").read_text())


def scored(marks: list[dict[str, Any]], scorer: Scorer, out: Path) -> list[dict[str, Any]]:
    """The marks with a distance in the place of the file of samples, of which a sheet of the last is kept."""
    found: dict[str, float] = {}
    for mark in marks:
        file = mark.pop("file")
        samples = np.load(out / file)["samples"]
        found.setdefault(file, scorer.fid(samples))
        mark["fid"] = round(found[file], 2)
    save_image(sheet(scorer.as_data(samples)[:64]), Path(f"{out}.png"))
    shutil.rmtree(out)
    return marks


def table(results: list[dict[str, Any]], name: str, floor: float | None) -> str:
    """A row for each trainer, best at the end first: medians over seeds."""
    rows = []
    seconds = [mark["mark"] for mark in results[0]["marks"]]
    for trainer in dict.fromkeys(r["trainer"] for r in results):
        runs = [r["marks"] for r in results if r["trainer"] == trainer]
        fids = [median(marks[i]["fid"] for marks in runs) for i in range(len(seconds))]
        ends = ", ".join(f"{marks[-1]['fid']:.4g}" for marks in runs)
        rate = median(marks[-1]["images"] / marks[-1]["seconds"] for marks in runs)
        updates = median(marks[-1]["updates"] for marks in runs)
        cells = [f"{rate:,.0f}", f"{updates:,.0f}", *(f"{fid:,.4g}" for fid in fids), ends]
        rows.append((fids[-1], f"| `{trainer}` | " + " | ".join(cells) + " |"))
    head = ["images/s", "updates of G", *(f"FID at {s:g} s" for s in seconds), "each seed at the end"]
    lines = [
        f"| {name} | " + " | ".join(head) + " |",
        "|---" * (len(head) + 1) + "|",
        *(row for _, row in sorted(rows)),
    ]
    if floor is not None:
        lines.append(f"| real images, halves | | |{' |' * (len(seconds) - 1)} {floor:.2f} | |")
    return "\n".join(lines)


def leads(results: list[dict[str, Any]]) -> str:
    """Where each of ours stands against the best of the others: at each mark, and in time to the best's last score."""

    def at(trainers: set[str], i: int) -> float:
        return min(median(r["marks"][i]["fid"] for r in results if r["trainer"] == t) for t in trainers)

    theirs = {r["trainer"] for r in results} - set(OURS)
    lines = []
    for trainer in [t for t in OURS if theirs and any(r["trainer"] == t for r in results)]:
        marks = results[0]["marks"]
        ratios = ", ".join(
            f"{at(theirs, i) / at({trainer}, i):.1f} at {mark['mark']:g} s" for i, mark in enumerate(marks)
        )
        best = at(theirs, len(marks) - 1)
        reached = next((mark["mark"] for i, mark in enumerate(marks) if at({trainer}, i) <= best), None)
        when = f"reached by {reached:g} s" if reached else "not reached"
        lines.append(
            f"`{trainer}`: best other's FID over its own {ratios}; the best other's last FID, {best:.4g}, {when}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, help="MNIST in its IDX files")
    parser.add_argument("--flowers", type=Path, help="a zip of JPEG files, a folder for each class")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--trainers", nargs="+", choices=TRAINERS, default=list(TRAINERS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--seconds", type=float, default=60, help="of CPU time, for each trainer")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--python", help="of an environment that has the packages")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    file = asked.out / "results.jsonl"
    results = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    python = asked.python or sys.executable
    if not asked.python and set(asked.trainers) & set(PACKAGES):
        python = environment((asked.out / "venv").resolve())
    all_pictures, scorers = pictures_of(asked), {}
    for seed in asked.seeds:
        for pictures in all_pictures:
            for trainer in asked.trainers:
                key = {"set": pictures.name, "trainer": trainer, "seed": seed, "budget": asked.seconds}
                if any(key.items() <= r.items() for r in results):
                    continue
                out = asked.out / f"{pictures.name}-{trainer}-{asked.seconds:g}-{seed}"
                marks = [asked.seconds * share for share in MARKS]
                taken = train(trainer, pictures, seed, marks, asked.samples, python, out)
                scorers[pictures.name] = scorers.get(pictures.name) or pictures.scorer()
                results.append(key | {"marks": scored(taken, scorers[pictures.name], out)})
                with file.open("a") as log:
                    log.write(json.dumps(results[-1]) + "\n")
                print(results[-1], flush=True)
    for pictures in all_pictures:
        chosen = [r for r in results if r["set"] == pictures.name and r["budget"] == asked.seconds]
        scorer = scorers.get(pictures.name)
        print(f"\n{table(chosen, pictures.name, scorer.floor() if scorer else None)}\n\n{leads(chosen)}")


if __name__ == "__main__":
    main()
