"""Eight samples of each run of the population in a row: of the fitted part they ship with the doctor, which shows those that
are most like another run; of what was set aside they are kept here, for the field guide.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from PIL import Image

import ganglion
from population.split import is_aside
from population.stored import STORED

__all__ = ["PLACES", "drawn", "store"]

PLACES = (Path(ganglion.__file__).parent / "doctor" / "similar_runs.zip", STORED / "set_aside.zip")
"""Of the fitted part, and of what was set aside."""
SHOWN = (256, 32)


def drawn(places: tuple[Path, ...] = PLACES) -> dict[str, bytes]:
    """WebP by the run's id."""
    found = {}
    for place in filter(Path.exists, places):
        with ZipFile(place) as archive:
            found |= {name.removesuffix(".webp"): archive.read(name) for name in archive.namelist()}
    return found


def store(out: Path, places: tuple[Path, ...] = PLACES) -> None:
    """Of all runs whose results are in `out`; what is there already stays where a run has no samples in `out`."""
    known = drawn(places)
    parts: tuple[dict[str, bytes], dict[str, bytes]] = ({}, {})
    for path in sorted(out.glob("*/result.json")):
        one = json.loads(path.read_text())
        samples, kept = path.parent / "samples.jpg", known.get(one["id"])
        aside = is_aside(one["program"], one["data"], one["kind"])
        parts[aside][one["id"]] = kept if kept and not samples.exists() else _first_row(samples)
    for place, found in zip(places, parts, strict=True):
        with ZipFile(place, "w") as archive:
            for name, content in found.items():
                archive.writestr(ZipInfo(f"{name}.webp"), content)


def _first_row(samples: Path) -> bytes:
    """Gray where a run drew none."""
    image = Image.new("RGB", SHOWN, "gray")
    if samples.exists():
        with Image.open(samples) as found:
            image = found.crop((0, 0, found.width, found.height // 2)).resize(SHOWN, Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=60)
    return buffer.getvalue()
