"""The healthy bands behind the charts of the report: the range of each number over runs of a recipe that went well.

    python benchmarks/bands.py RUN RUN ... --about "two runs on MNIST at 32x32, two minutes each"

Runs are told apart by their recipe; a run of which the doctor says anything but healthy is refused. Writes
src/ganglion/report/bands/RECIPE.json, a few kilobytes each.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

from ganglion.doctor.diagnose import diagnose
from ganglion.report.bands import BANDS, bands_of_runs
from ganglion.runs.folder import Run
from ganglion.vitals.records import Record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--about", required=True, help="what the runs were, for a person")
    asked = parser.parse_args()
    groups: dict[str, list[list[Record]]] = defaultdict(list)
    for path in asked.runs:
        state = diagnose(path).state
        if state != "healthy":
            raise SystemExit(f"{path} is {state}: only healthy runs make a band")
        groups[Run(path).recipe.name].append(Run(path).records())
    BANDS.mkdir(exist_ok=True)
    for recipe, runs in groups.items():
        target = BANDS / f"{recipe}.json"
        target.write_text(json.dumps(bands_of_runs(runs, asked.about), separators=(",", ":")) + "\n", encoding="utf-8")
        print(f"{recipe}: {len(runs)} runs, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
