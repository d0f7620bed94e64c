"""What treatments heal: sick runs of Ganglion's recipes from the part that was set aside, treated in six ways.

    python benchmarks/population/healing.py DATA --out population/ [--part 0/2] [--hours 2]
    python benchmarks/population/healing.py DATA --out population/ --store       keeps what is there in the repository

Each way gets twice the time of a healthy run of its program, in all: nothing; at the first failing verdict the same recipe
again from another seed; `auto` instead; a random remedy of all that can be applied; the doctor's first remedy; and up to three.
What comes of it is judged as the population is (truth.py), on the checkpoint that the run calls best: healed is a run that
ends within 1.5 of the median of the healthy runs of its program and data set, with the classes that they have. A run that is
never called failing is not treated, and counts as it is. Times are by the clock: let nothing run beside it but one other part.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import torch

import ganglion
from ganglion.doctor.diagnose import diagnose
from ganglion.doctor.findings import RULES
from ganglion.doctor.history import History
from ganglion.doctor.readers.run_folder import setup_of
from ganglion.doctor.readers.treatments import treatments_of
from ganglion.doctor.remedies.idea import known_of
from ganglion.doctor.remedies.propose import proposed, weights_help
from ganglion.doctor.verdict import Finding, Remedy, Verdict
from ganglion.recipe.schema import Recipe
from ganglion.runs.folder import Run
from ganglion.training import attempts
from population.healed import FIRST, WAYS, collected, store
from population.interventions import INTERVENTIONS
from population.programs import PROGRAMS, given, images_of
from population.split import parts
from population.truth import judge_of, truths

BUDGETS, SHORT = 2.0, 40.0
SAMPLES = 500


def sick_runs(out: Path) -> tuple[list[dict[str, Any]], dict[tuple[str, str], tuple[float, float | None]]]:
    """Those to be treated, in an order that more of them do not change, and what is usual for each program and data set: median
    distance and classes.
    """
    results = [json.loads(path.read_text()) for path in sorted(out.glob("*/result.json"))]
    truth, usual = truths(results), defaultdict(list)
    for one in results:
        if one["kind"] == "none" and one.get("distance") is not None:
            usual[one["program"], one["data"]].append((one["distance"], one["classes"]))
    middle = {pair: (median([d for d, _ in found]), median([c for _, c in found])) for pair, found in usual.items()}
    aside = [one for one in parts(results)[1] if one["own_run"] and truth.get(one["id"])]
    short = [one for one in aside if PROGRAMS[one["program"]].seconds <= SHORT]
    in_random_order = sorted(short, key=lambda one: hashlib.sha256(one["id"].encode()).digest())
    return in_random_order, middle  # type: ignore[return-value]


def median(values: list[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def treated(one: dict[str, Any], way: str, data: Path, out: Path, spent: float) -> dict[str, Any]:
    """A run once more in one of the ways; `spent`: minutes until its first failing verdict."""
    program, images = PROGRAMS[one["program"]], images_of(data, one["data"])
    pixels, settings = given(program, images, INTERVENTIONS[one["kind"]].strengths[one["strength"]], one["seed"])
    minutes, seed, recipe = BUDGETS * program.seconds / 60, one["seed"], str(program.recipe)
    if way in ("again", "auto"):
        minutes, seed = minutes - spent, seed + 100
    if way == "auto":
        recipe, settings = "auto", {key: value for key, value in settings.items() if key.startswith("data.")}
    run = out / "run"
    shutil.rmtree(out, ignore_errors=True)
    try:
        with choosing(way):
            ganglion.train(
                pixels, recipe=recipe, run=run, seed=seed, device="cpu", threads=1, quiet=True, set=settings,
                at_end=lambda run: None, minutes=minutes, treat=way in ("random", FIRST, "up to three"), fresh=True,
            )  # fmt: skip
    except ganglion.TrainingFailed:
        pass
    return measured(run, images, way)


def measured(run: Path, images: Any, way: str) -> dict[str, Any]:
    """What the judge says of the best checkpoint, and what was done."""
    done = treatments_of(run)
    found: dict[str, Any] = {"way": way, "remedies": [one.what for one in done], "names": [one.remedy for one in done]}
    found |= {"spent": done[0].seconds / 60 if done else None, "causes": [one.cause for one in done]}
    if not Run(run).steps_saved():
        return found | {"distance": None, "classes": None}
    drawn = ganglion.load(run).sample(SAMPLES, seed=1)
    seen = judge_of(images).measure(torch.from_numpy(np.asarray(drawn)).permute(0, 3, 1, 2))
    return found | {"distance": seen.distance, "classes": seen.classes}


@contextmanager
def choosing(way: str) -> Iterator[None]:
    """How many treatments there may be, and who chooses the remedy."""
    most, doctor = attempts.MOST_TREATMENTS, attempts.remedies_for
    attempts.MOST_TREATMENTS = most if way == "up to three" else 1
    if way == "random":
        attempts.remedies_for = at_random
    try:
        yield
    finally:
        attempts.MOST_TREATMENTS, attempts.remedies_for = most, doctor


def at_random(run: Run, recipe: Recipe, verdict: Verdict) -> list[tuple[Finding, Remedy]]:
    """In the place of the doctor's remedies all that can be applied to this run, in random order."""
    history, setup = History(run.records()), setup_of(run.path)
    ideas = list({idea.name: idea for rule in RULES.values() for idea in rule.ideas}.values())
    known, good = known_of(history), weights_help(history)
    applicable = {
        remedy.name: remedy
        for idea in ideas
        for remedy in proposed([idea], known, True, setup, good)  # the recipe's own values among those of each
        if remedy.settings or remedy.recipe
    }
    failing = next(finding for finding in diagnose(run.path).findings if finding.severity == "failing")
    order = np.random.default_rng(len(run.records())).permutation(sorted(applicable))
    return [(failing, applicable[name]) for name in order]


def all_ways(one: dict[str, Any], data: Path, out: Path) -> dict[str, dict[str, Any]]:
    """Results by way, from the disk where they are there."""
    found: dict[str, dict[str, Any]] = {}
    for way in sorted(WAYS, key=lambda way: way != FIRST):
        place = out / "healing" / one["id"] / way.replace(" ", "-")
        if (place / "result.json").exists():
            found[way] = json.loads((place / "result.json").read_text())
            continue
        spent = found.get(FIRST, {}).get("spent")
        if found and spent is None:  # never called failing: nothing is done to it in any way
            found[way] = found[FIRST] | {"way": way}
            continue
        found[way] = treated(one, way, data, place, spent or 0.0)
        (place / "result.json").write_text(json.dumps(found[way], indent=1))
        print(one["id"], way, found[way]["distance"], found[way]["remedies"], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", default="0/1")
    parser.add_argument("--hours", type=float, default=1e9)
    parser.add_argument("--store", action="store_true")
    asked = parser.parse_args()
    if asked.store:
        return store(collected(asked.out, *sick_runs(asked.out)))
    torch.set_num_threads(1)
    part, count = map(int, asked.part.split("/"))
    until = time.monotonic() + 3600 * asked.hours
    for one in sick_runs(asked.out)[0][part::count]:
        if time.monotonic() > until:
            break
        all_ways(one, asked.data, asked.out)
    return None


if __name__ == "__main__":
    main()
