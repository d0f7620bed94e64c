"""What `ganglion check` says of the population's runs of Ganglion's recipes before their first step.

    python benchmarks/population/foreseen.py DATA --out population/      a few seconds each; what is there is not done again
    python benchmarks/population/foreseen.py DATA --out population/ --write docs/doctor.md

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
from marked import fill
from population.examination import rate
from population.interventions import INTERVENTIONS
from population.programs import PROGRAMS, given, images_of
from population.split import parts
from population.stored import read
from population.truth import truths

SECONDS = 2.0
OF_THE_DATA = {"number", "kinds", "sizes", "copies", "range", "files", "labels"}


def remarks(one: dict[str, Any], data: Path) -> list[list[str]]:
    """Level, topic and text of each remark on a run's recipe and images."""
    program, images = PROGRAMS[one["program"]], images_of(data, one["data"])
    pixels, settings = given(program, images, INTERVENTIONS[one["kind"]].strengths[one["strength"]], one["seed"])
    found = check(
        pixels, recipe=str(program.recipe), seed=one["seed"], device="cpu", threads=1, quiet=True, seconds=SECONDS,
        set=settings, minutes=program.seconds / 60,
    )  # fmt: skip
    return [[remark.level, remark.topic, remark.text] for remark in found.remarks]


def said(found: list[list[str]], level: str) -> bool:
    levels = {"failing"} if level == "failing" else {"failing", "watch"}
    return any(one in levels and topic not in OF_THE_DATA for one, topic, _ in found)


def table(results: list[dict[str, Any]], truth: dict[str, bool], out: Path) -> str:
    lines = ["| of | said | sick runs foreseen | false alarms |", "|---|---|---|---|"]
    for name, part in zip(("fitted", "set aside"), parts(results), strict=True):
        known = [(truth[one["id"]], kept(place_of(one, out))) for one in part if one["id"] in truth]
        for level in ("failing", "watch or failing"):
            ill, well = ([said(found, level) for sick, found in known if sick is wanted] for wanted in (True, False))
            lines.append(f"| {name} | {level} | {rate(ill)} | {rate(well)} |")
    return "\n".join(lines)


def place_of(one: dict[str, Any], out: Path) -> Path:
    return out / "foreseen" / f"{one['id']}.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--write", type=Path, metavar="PAGE")
    asked = parser.parse_args()
    results = [one for one in read() if one["own_run"]]
    truth = truths(read())
    if asked.write:
        return fill(asked.write, "foreseen", table(results, truth, asked.out))
    torch.set_num_threads(1)
    for one in results:
        place = place_of(one, asked.out)
        if one["id"] in truth and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(remarks(one, asked.data)))
            found = [topic for level, topic, _ in kept(place) if level != "fine"]
            print(one["id"], truth[one["id"]], found, flush=True)
    return None


def kept(place: Path) -> list[list[str]]:
    return [list(one) for one in json.loads(place.read_text())]


if __name__ == "__main__":
    main()
