"""Every recipe for the same few minutes on photographs, scored by `ganglion evaluate`.

    python benchmarks/photographs.py cifar10-train.zip --size 32 --features learned --out results/
    python benchmarks/photographs.py flowers.zip --size 64 --features random --out results/ --recipes fast small-data

For each run it writes a line of results.jsonl and a grid of 64 random samples; what is there already is not run again.
Networks are as small as those of benchmarks/recipes.py.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import ganglion
from ganglion.pictures.sheets import save_image, sheet
from recipes import SIZES, train

SCORES = ("fid", "kid", "precision", "recall")


def run_one(name: str, recipe: str, asked: argparse.Namespace) -> dict[str, Any]:
    run = train(asked.source, asked.out / name, recipe, size=asked.size, minutes=asked.minutes, seed=asked.seed)
    samples = ganglion.load(run.path, "latest").sample(asked.n, seed=1)
    save_image(sheet(samples[:64]), asked.out / f"{name}.png")
    found = ganglion.evaluate(samples, asked.source, features=asked.features, metrics=SCORES, quiet=True)
    return {
        "name": name, "recipe": recipe, "kimg": round(run.records()[-1]["kimg"], 1),
        "floor": next(score.floor for score in found.scores if score.name == "fid"),
        **{score: found[score] for score in SCORES},
    }  # fmt: skip


def table(results: list[dict[str, Any]]) -> str:
    """A row for each recipe, best first."""
    lines = ["| recipe | FID | KID | precision | recall | thousand images |", "|---|---|---|---|---|---|"]
    rows = [
        f"| `{r['recipe']}` | {r['fid']:.3g} | {r['kid']:.3g} | {r['precision']:.2f} | {r['recall']:.2f} | {r['kimg']:.0f} |"
        for r in sorted(results, key=lambda r: r["fid"])
    ]
    return "\n".join([*lines, *rows, f"| real images | {results[0]['floor']:.3g} | | | | |"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--features", default="auto")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, default=4000)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    file = asked.out / "results.jsonl"
    known = {r["name"]: r for r in map(json.loads, file.read_text().splitlines())} if file.exists() else {}
    results = []
    for recipe in asked.recipes:
        name = f"{asked.source.stem}-{recipe}-{asked.minutes:g}min-{asked.seed}"
        if name not in known:
            known[name] = run_one(name, recipe, asked)
            with file.open("a") as log:
                log.write(json.dumps(known[name]) + "\n")
            print(known[name], flush=True)
        results.append(known[name])
    print(table(results))


if __name__ == "__main__":
    main()
