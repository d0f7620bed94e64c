"""What `ganglion check` says of the population's runs of Ganglion's recipes before their first step.

    python benchmarks/population/foreseen.py DATA                          a few seconds each; what is there is not done again
    python benchmarks/population/foreseen.py DATA --part 0/2 --out a.json  one of two processes
    python benchmarks/population/foreseen.py DATA --join a.json b.json     keeps what they found

Two seconds of training for each, on one core. A run is foreseen where `check` says failing or watch of anything but what the
images are, which is the same for all runs of a data set.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import torch

from ganglion.training.check import check
from population import stored
from population.examination import rate
from population.interventions import INTERVENTIONS
from population.programs import PROGRAMS, given, images_of
from population.split import parts
from population.truth import truths

SECONDS = 2.0
STORED = Path(__file__).parent / "foreseen.json"
OF_THE_DATA = {"number", "kinds", "sizes", "copies", "range", "files", "labels"}


def remarks(one: dict[str, Any], data: Path) -> list[list[str]]:
    """Level and topic of each remark on a run's recipe and images that is not fine."""
    program, images = PROGRAMS[one["program"]], images_of(data, one["data"])
    pixels, settings = given(program, images, INTERVENTIONS[one["kind"]].strengths[one["strength"]], one["seed"])
    found = check(
        pixels, recipe=str(program.recipe), seed=one["seed"], device="cpu", threads=1, quiet=True, seconds=SECONDS,
        set=settings, minutes=program.seconds / 60,
    )  # fmt: skip
    return [[remark.level, remark.topic] for remark in found.remarks if remark.level != "fine"]


def said(found: list[list[str]], level: str) -> bool:
    levels = {"failing"} if level == "failing" else {"failing", "watch"}
    return any(one in levels and topic not in OF_THE_DATA for one, topic in found)


def table(results: list[dict[str, Any]], truth: dict[str, bool], kept: dict[str, list[list[str]]]) -> str:
    """Of the runs that are kept."""
    lines = ["| of | said | sick runs foreseen | false alarms |", "|---|---|---|---|"]
    for name, part in zip(("fitted", "set aside"), parts(results), strict=True):
        known = [(truth[one["id"]], kept[one["id"]]) for one in part if one["id"] in truth and one["id"] in kept]
        for level in ("failing", "watch or failing"):
            ill, well = ([said(found, level) for sick, found in known if sick is wanted] for wanted in (True, False))
            lines.append(f"| {name} | {level} | {rate(ill)} | {rate(well)} |")
    unchanged = [said(kept[one["id"]], "watch") for one in results if one["kind"] == "none" and one["id"] in kept]
    return "\n".join([*lines, "", f"Of {len(unchanged)} unchanged runs {sum(unchanged)} have such a remark."])


def read(path: Path = STORED) -> dict[str, list[list[str]]]:
    """By the run's id level and topic of what was said."""
    return {one: list(found) for one, found in json.loads(path.read_text()).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--part", default="0/1", help="K/N: every N-th run, into a file of its own")
    parser.add_argument("--join", type=Path, nargs="+", metavar="FILE", help="keep what these files hold; runs nothing")
    parser.add_argument("--out", type=Path, default=STORED)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    kept = {
        one: found for path in [asked.out, *(asked.join or [])] if path.exists() for one, found in read(path).items()
    }
    part, count = map(int, asked.part.split("/"))
    known = stored.read()
    truth = truths(known)
    for one in [] if asked.join else [one for one in known if one["own_run"] and one["id"] in truth][part::count]:
        if one["id"] not in kept:
            kept[one["id"]] = remarks(one, asked.data)
            print(one["id"], truth[one["id"]], kept[one["id"]], flush=True)
            write(kept, asked.out)
    write(kept, asked.out)


def write(kept: dict[str, list[list[str]]], path: Path) -> None:
    """A line for each run."""
    lines = ",\n".join(f"{json.dumps(one)}: {json.dumps(found)}" for one, found in sorted(kept.items()))
    path.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
