"""What treatments healed, from the stored results of healing.py: tables for docs/doctor.md and the field guide.

    python benchmarks/population/healed.py

Only runs count that have had every way, or that no way treats: those never called failing, or only when no time was left.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from population.examination import rate
from population.truth import CLASSES_KEPT

__all__ = ["FIRST", "WAYS", "Treated", "by_cause", "collected", "healed", "of_code", "read", "store", "table"]

WAYS = ("nothing", "again", "auto", "random", "first remedy", "up to three")
FIRST = "first remedy"
ABOUT = {
    "nothing": "nothing", "again": "the same recipe again, from another seed", "auto": "the recipe `auto` instead",
    "random": "a random remedy of those that can be applied", FIRST: "the first remedy",
    "up to three": "up to three remedies (`--treat`)",
}  # fmt: skip
HEALED = 1.5
STORED = Path(__file__).parent / "healing.json"


class Treated(NamedTuple):
    """A sick run, and what came of it in each way."""

    id: str
    distance: float
    """Of the median healthy run of its program and data set, as the judge measures it."""
    classes: float | None
    """The same."""
    ways: dict[str, dict[str, Any]]
    """By way: distance, classes, causes, names and sentences of the remedies."""

    @property
    def was_treated(self) -> bool:
        return bool(self.ways[FIRST]["spent"])

    def healed(self, way: str) -> bool:
        return healed(self.ways[way], (self.distance, self.classes))


def healed(result: dict[str, Any], usual: tuple[float, float | None]) -> bool:
    distance, classes = result["distance"], result["classes"]
    if distance is None or not distance <= HEALED * max(usual[0], 0.02):
        return False
    return classes is None or usual[1] is None or classes >= CLASSES_KEPT * usual[1]


def collected(out: Path, runs: list[dict[str, Any]], usual: dict[tuple[str, str], Any]) -> list[Treated]:
    """Of the results of healing.py in `out`."""
    found = []
    for one in runs:
        places = {way: out / "healing" / one["id"] / way.replace(" ", "-") / "result.json" for way in WAYS}
        if not places[FIRST].exists():
            continue
        first = json.loads(places[FIRST].read_text())
        if all(path.exists() for path in places.values()) or not first["spent"]:
            ways = {way: json.loads(path.read_text()) if path.exists() else first for way, path in places.items()}
            found.append(Treated(one["id"], *usual[one["program"], one["data"]], ways))
    return found


def store(found: list[Treated], path: Path = STORED) -> None:
    """A line for each run."""
    lines = ",\n".join(json.dumps(one._asdict(), separators=(",", ":")) for one in found)
    path.write_text(f"[\n{lines}\n]\n")


def read(path: Path = STORED) -> list[Treated]:
    return [Treated(**one) for one in json.loads(path.read_text())]


def table(found: list[Treated]) -> str:
    """Share healed, for each way, of all and of those that were treated."""
    treated = [one for one in found if one.was_treated]
    lines = [
        f"| way | healed, of all {len(found)} sick runs | of the {len(treated)} that were treated |",
        "|---|---|---|",
    ]
    for way in WAYS:
        rates = (rate([one.healed(way) for one in some]) for some in (found, treated))
        lines.append(f"| {ABOUT[way]} | {' | '.join(rates)} |")
    return "\n".join(lines)


def by_cause(found: list[Treated]) -> str:
    """Which first remedies were taken for which cause, and what they healed."""
    tried: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for one in found:
        first = one.ways[FIRST]
        for cause, name in zip(first["causes"][:1], first["names"][:1], strict=True):
            tried[cause, name].append(one.healed(FIRST))
    lines = ["| cause | first remedy | runs | healed |", "|---|---|---|---|"]
    for (cause, name), well in sorted(tried.items(), key=lambda item: (item[0][0], -len(item[1]))):
        lines.append(f"| {cause} | {name} | {len(well)} | {sum(well)} |")
    return "\n".join(lines)


def runs(found: list[Treated]) -> str:
    """A line for each run: its distance in each way, in those of the usual one, and what the doctor did to it."""
    lines = [f"| run | {' | '.join(WAYS)} | what `--treat` did |", "|---|" + "---|" * (len(WAYS) + 1)]
    for one in found:
        shown = [f"{(one.ways[way]['distance'] or float('nan')) / one.distance:.1f}" for way in WAYS]
        done = one.ways["up to three"]
        told = "; ".join(f"{cause}: {name}" for cause, name in zip(done["causes"], done["names"], strict=True))
        lines.append(f"| {one.id} | {' | '.join(shown)} | {told or 'not treated'} |")
    return "\n".join(lines)


def of_code(code: str, found: list[Treated]) -> str:
    """A sentence for the page of a finding; empty where no run was treated for it."""
    treated = [one for one in found if one.was_treated and one.ways[FIRST]["causes"][:1] == [code]]
    if not treated:
        return ""
    first, three = (sum(one.healed(way) for one in treated) for way in (FIRST, "up to three"))
    return (
        f"Treated for it as the first cause: {len(treated)} sick run{'s' if len(treated) > 1 else ''} of what was set aside. "
        f"The first remedy healed {first}, up to three healed {three} ([how](../doctor.md#what-remedies-heal))."
    )


def main() -> None:
    found = read()
    print("\n\n".join((table(found), by_cause(found), runs(found))))


if __name__ == "__main__":
    main()
