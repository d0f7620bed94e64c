"""The clinic's population: programs, data sets, and what is done to them; each run with the truth about how it ended.

    python benchmarks/population/run.py DATA --out population/ --list      what there is to run, in order
    python benchmarks/population/run.py DATA --out population/ --part 0/2 --hours 2    one of two processes, each on a core
    python benchmarks/population/run.py DATA --out population/ --store    all results into benchmarks/population/runs

DATA is the folder with mnist/, cifar10-train.zip, flowers17-128.zip and folders/. A run takes 40 to 120 seconds of one core;
the first run of a program on a data set sets the number of steps for all others there. What stands in --out is not run
again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import torch
from PIL import Image

from ganglion.pictures.sheets import sheet
from ganglion.runs.checkpoints import prune
from population import thumbnails
from population.duality_gap import gap_of_loop, gap_of_recipe
from population.interventions import INTERVENTIONS, change_of
from population.programs import PROGRAMS, Ended, applies, images_of, run
from population.split import ASIDE_KINDS, ASIDE_PROGRAMS, data_of
from population.stored import store
from population.truth import Measured, failed_distance, judge_of, learns
from population.two_sample import discrepancy, neighbour_accuracy, pixels_of, reals_of

SAMPLES = 500
HEALTHY_BEFORE = (0, 2, 6)
"""Rounds before which every program runs unchanged on each of its data sets, with a new seed."""
ROUNDS = 12
"""Interventions of each program on each data set; every fourth of a fitted program is of a kind that was set aside."""


class Planned(NamedTuple):
    program: str
    data: str
    kind: str
    strength: int
    seed: int

    @property
    def id(self) -> str:
        return ".".join(map(str, self))


def plan() -> list[Planned]:
    """All runs, so that in any first part of them every program has had about as much time."""
    pairs = [(program, data) for program in PROGRAMS for data in data_of(program)]
    runs = [(place * PROGRAMS[one.program].seconds, one) for pair in pairs for place, one in enumerate(runs_of(*pair))]
    return [one for _, one in sorted(runs, key=lambda run: run[0])]


def runs_of(program: str, data: str) -> Iterator[Planned]:
    """All runs of a program on a data set, in their order."""
    for number in range(ROUNDS):
        if number in HEALTHY_BEFORE:
            yield Planned(program, data, "none", 0, HEALTHY_BEFORE.index(number))
        if (one := intervened(program, data, number)) is not None:
            yield one


def intervened(program: str, data: str, number: int) -> Planned | None:
    """The intervention of this number; strengths and kinds are drawn without repetition."""
    digest = hashlib.sha256(f"{program} {data}".encode()).digest()
    random = np.random.default_rng(list(digest[:8]))
    possible = []
    for kind in random.permutation([kind for kind in INTERVENTIONS if kind != "none"]).tolist():
        strengths = [n for n in range(3) if applies(PROGRAMS[program], INTERVENTIONS[kind], n, data)]
        possible += [(kind, int(random.choice(strengths)))] if strengths else []
    aside = program not in ASIDE_PROGRAMS and number % 4 == 3
    if program not in ASIDE_PROGRAMS:
        possible = [one for one in possible if (one[0] in ASIDE_KINDS) == aside]
        number = number // 4 if aside else number - (number + 1) // 4
    return Planned(program, data, *possible[number], 0) if number < len(possible) else None


def result_of(one: Planned, folder: Path, out: Path) -> dict[str, Any]:
    """From `out` where it stands there, otherwise of a run made now."""
    place = out / one.id / "result.json"
    if place.exists():
        return dict(json.loads(place.read_text()))
    steps = None
    if one != (first := Planned(one.program, one.data, "none", 0, 0)):
        steps = int(result_of(first, folder, out)["steps"])
    shutil.rmtree(place.parent, ignore_errors=True)
    place.parent.mkdir(parents=True)
    program, data, started = PROGRAMS[one.program], images_of(folder, one.data), time.process_time()
    ended = run(program, data, one.kind, one.strength, one.seed, place.parent / "run", program.seconds, steps, SAMPLES)
    result = one._asdict() | {"id": one.id, "seconds": round(time.process_time() - started, 1)} | measured(ended, data)
    result |= {"own_run": program.recipe is not None, "steps": ended.steps}
    result["duality_gap"] = gap_of(one, ended, place.parent / "run", data)
    if ended.samples is not None:
        thumbnail(ended.samples).save(place.parent / "samples.jpg", quality=70)
    keep_the_newest(place.parent / "run")
    place.write_text(json.dumps(result, indent=1))
    return result


def teaches(one: Planned, folder: Path, out: Path) -> bool:
    """Whether the first healthy run of its program on its data is better than a failed one."""
    first = result_of(Planned(one.program, one.data, "none", 0, 0), folder, out)
    return first.get("distance") is not None and learns([Measured(first["distance"], None)], first["failed"])


def keep_the_newest(run: Path) -> None:
    """Of what fills the disk: of checkpoints the newest and the best, and no events."""
    shutil.rmtree(run / "tensorboard", ignore_errors=True)
    if (run / "checkpoints").is_dir():
        prune(run / "checkpoints", 1)


def gap_of(one: Planned, ended: Ended, run: Path, data: Any) -> float | None:
    """The duality gap of the networks at the end; None where it cannot be told."""
    if PROGRAMS[one.program].recipe is not None:
        gap = gap_of_recipe(run, data)
    else:
        change = change_of(one.kind, one.strength)
        gap = gap_of_loop(one.program, change, ended.players, data) if change and ended.players else None
    return gap if gap is not None and np.isfinite(gap) else None


def measured(ended: Ended, data: Any) -> dict[str, Any]:
    """What the judge says, and the records as the doctor reads them."""
    non_finite = [record["non_finite"] for record in ended.records if record.get("non_finite")]
    truth: dict[str, Any] = {"finite": not non_finite and ended.error is None, "error": ended.error}
    if ended.samples is not None:
        found = judge_of(data).measure(ended.samples)
        samples, reals = pixels_of(ended.samples), reals_of(data)
        truth |= {
            "distance": found.distance, "classes": found.classes, "failed": failed_distance(data),
            "neighbours": round(neighbour_accuracy(samples, reals), 4), "discrepancy": round(discrepancy(samples, reals), 6),
        }  # fmt: skip
    return truth | {"records": ended.records}


def thumbnail(samples: torch.Tensor) -> Image.Image:
    """Sixteen samples in two rows."""
    pixels = samples[:16].permute(0, 2, 3, 1).numpy()
    return Image.fromarray(sheet(pixels, columns=8).squeeze()).convert("RGB")


def said(one: Planned, folder: Path, out: Path) -> str:
    """Runs it, unless it is there, and says what came of it."""
    if one.kind != "none" and not teaches(one, folder, out):
        return "left out, its program does not learn these data in its time"
    result = result_of(one, folder, out)
    shown = "no samples" if result.get("distance") is None else f"{result['distance']:.3f}"
    return f"{shown} {result.get('classes')} {result['error'] or ''} {result['seconds']} s"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--part", default="0/1", help="K/N: every N-th pair of program and data set")
    parser.add_argument("--hours", type=float, default=1e9, help="no run begins after so many")
    parser.add_argument("--only", help="runs whose name contains this")
    parser.add_argument("--store", action="store_true", help="keep what is there in the repository")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    part, parts = map(int, asked.part.split("/"))
    pairs = list(dict.fromkeys((one.program, one.data) for one in plan()))
    runs = [one for one in plan() if pairs.index((one.program, one.data)) % parts == part]
    runs = [one for one in runs if not asked.only or asked.only in one.id]
    if asked.store:
        thumbnails.store(asked.out)
        return store(asked.out)
    if asked.list:
        return print("\n".join(one.id for one in runs))
    torch.set_num_threads(1)
    until = time.monotonic() + 3600 * asked.hours
    for number, one in enumerate(runs):
        if time.monotonic() > until:
            return print(f"{number} of {len(runs)} runs are there")
        try:
            print(f"{number + 1}/{len(runs)} {one.id}: {said(one, asked.data, asked.out)}", flush=True)
        except Exception:  # the others are run all the same; this one when the command is given again
            print(f"{number + 1}/{len(runs)} {one.id}: {traceback.format_exc()}", flush=True)
    return None


if __name__ == "__main__":
    main()
