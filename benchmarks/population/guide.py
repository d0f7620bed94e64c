"""Writes into each page of the field guide how often its finding was right on the population, and what such runs look like.

python benchmarks/population/guide.py
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from PIL import Image, ImageDraw

from ganglion.doctor.findings import RULES
from marked import fill
from population import healed
from population.examination import Judged, doctor_without_program, judged, rate
from population.interventions import INTERVENTIONS
from population.split import parts
from population.stored import read
from population.thumbnails import drawn
from population.truth import truths

__all__ = ["examples", "measured", "strip"]

PAGES = Path(__file__).parents[2] / "docs" / "field-guide"
SHOWN, MOST, ROW, LABEL = 2, 4, (512, 64), 16


def measured(code: str, fitted: list[Judged], aside: list[Judged]) -> str:
    """A table of both parts, and what it is confused with."""
    lines = [
        "| | sick runs of which it is a right cause | among the findings | named first | alarms under this name first: right |",
        "|---|---|---|---|---|",
        _row("fitted", code, fitted),
        _row("set aside", code, aside),
    ]
    both = [*fitted, *aside]
    instead = Counter(one.first or "no alarm" for one in both if one.sick and _fits(one, code) and one.first != code)
    wrongly = Counter(
        one.result["kind"] if one.sick else f"{one.result['kind']}, healthy"
        for one in both
        if one.first == code and not (one.sick and _fits(one, code))
    )
    if instead:
        lines += ["", f"Said instead, for those runs: {_counted(instead)}."]
    if wrongly:
        lines += ["", f"Said wrongly of: {_counted(wrongly)}."]
    return "\n".join(lines)


def _fits(one: Judged, code: str) -> bool:
    return code in INTERVENTIONS[one.result["kind"]].codes


def _row(name: str, code: str, found: list[Judged]) -> str:
    of_it = [one for one in found if one.sick and _fits(one, code)]
    alarms = [one for one in found if one.alarm and one.first == code]
    right = [one.sick and _fits(one, code) for one in alarms]
    told = [rate([code in one.codes for one in of_it]), rate([one.first == code for one in of_it]), rate(right)]
    return f"| {name} | {len(of_it)} | {' | '.join(told)} |"


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in names.most_common(MOST))


def examples(code: str, found: list[Judged]) -> list[Judged]:
    """At most SHOWN sick runs that were rightly named so, of different data sets."""
    chosen: dict[str, Judged] = {}
    for one in found:
        if one.sick and one.first == code and _fits(one, code) and one.result.get("distance") is not None:
            chosen.setdefault(one.result["data"], one)
    return list(chosen.values())[:SHOWN]


def pictured(one: Judged) -> tuple[str, str]:
    """A healthy run of the same program on the same data, and the run."""
    return f"{one.result['program']}.{one.result['data']}.none.0.0", one.result["id"]


def strip(chosen: list[Judged], pictures: dict[str, bytes]) -> Image.Image:
    """Two rows for each run: samples of a healthy one of its program and data, and its own. `pictures`: by the run's id."""
    page = Image.new("RGB", (ROW[0], 2 * (ROW[1] + LABEL) * len(chosen)), "white")
    draw, y = ImageDraw.Draw(page), 0
    for one in chosen:
        program, data = one.result["program"], one.result["data"]
        strength = INTERVENTIONS[one.result["kind"]].strengths[one.result["strength"]].name
        about = f"{INTERVENTIONS[one.result['kind']].about} ({strength})"
        for name, label in zip(pictured(one), (f"{program} on {data}", f"{program} on {data}, {about}"), strict=True):
            draw.text((0, y + 2), label, fill="black")
            with Image.open(io.BytesIO(pictures[name])) as image:
                page.paste(image.resize(ROW, Image.Resampling.NEAREST), (0, y + LABEL))
            y += ROW[1] + LABEL
    return page


def main() -> None:
    pictures = drawn()
    results = read()
    truth = truths(results)
    both = parts(results)
    says = doctor_without_program(both[0], truth)
    fitted, aside = (judged(part, says, truth) for part in both)
    for code in RULES:
        page = PAGES / f"{code}.md"
        text = measured(code, fitted, aside)
        if treated := healed.of_code(code, healed.read()):
            text += f"\n\n{treated}"
        drawable = [one for one in (*fitted, *aside) if pictures.keys() >= set(pictured(one))]
        chosen, picture = examples(code, drawable), PAGES / "images" / f"{code}-samples.webp"
        if chosen:
            strip(chosen, pictures).save(picture, quality=60)
            text += f"\n\n![Samples of healthy runs, and below each of a run with this finding](images/{picture.name})"
        else:
            picture.unlink(missing_ok=True)
            text += "\n\nNo run of the population was rightly called so; the run below is the clinic's."
        fill(page, "measured", text)


if __name__ == "__main__":
    main()
