"""Parts of pages as HTML, each with a mark that changes with its content, so that a page replaces only what is new.

All content is escaped: names of runs, classes and files are data.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from ganglion.doctor.evidence import number_text
from ganglion.pictures.embed import data_uri
from ganglion.recipe.resolve import recipe_text
from ganglion.studio.details import Details, remedies_of
from ganglion.studio.overview import RunSummary

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["PAGE", "Part", "parts_of_run", "rendered", "rows_of_runs", "uri_of"]


PAGE = Path(__file__).parent / "page"

Part = dict[str, str]
"""`html`, and `mark`, a hash of it."""

HASHES = {"data.content"}  # of no use to a reader
WORDS = {
    "starting": "starting", "training": "training", "finished": "finished", "stopped": "stopped",
    "watched": "watched, no longer written",
}  # fmt: skip


def rendered(template: str, **content: Any) -> str:
    """A template of `page/` as HTML."""
    return _templates().get_template(template).render(**content)


def rows_of_runs(summaries: Sequence[RunSummary], folder: Path, now: float | None = None) -> dict[str, Part]:
    """The parts of the page Runs."""
    now = time.time() if now is None else now
    return _parts(
        {
            "rows": rendered("runs_rows.html", runs=summaries, now=now),
            "empty": rendered("runs_empty.html", runs=summaries, folder=str(folder)),
        }
    )


def parts_of_run(details: Details) -> dict[str, Part]:
    """The parts of the page of a run, but for its charts."""
    templates = ("head", "verdict", "timeline", "events", "recipe", "output")
    return _parts(
        {name: rendered(f"run_{name}.html", run=details, differences=_differences(details)) for name in templates}
    )


def _differences(details: Details) -> list[tuple[str, str, str]]:
    from ganglion.report.report import differences_of

    found = differences_of(details.recipe) if details.recipe else []
    return [one for one in found if one[0] not in HASHES]


def _parts(pages: Mapping[str, str]) -> dict[str, Part]:
    return {
        name: {"html": html, "mark": hashlib.sha256(html.encode()).hexdigest()[:12]} for name, html in pages.items()
    }


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"number": _number, "duration": duration, "ago": _ago, "part": lambda text: quote(text, safe="")}
    made.globals |= {"remedies_of": remedies_of, "WORDS": WORDS, "recipe_text": recipe_text}
    return made


def _number(value: float | None) -> str:
    return "–" if value is None else number_text(value)


def duration(seconds: float | None) -> str:
    """`12 s`, `4 min`, `3.2 h`, `2.5 days`."""
    if seconds is None:
        return "–"
    for most, unit, word in ((90, 1, "s"), (90 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < most:
            value = seconds / unit
            return f"{value:.1f} {word}" if word == "h" and value < 10 else f"{value:.0f} {word}"
    return f"{seconds / 86400:.1f} days"


def _ago(then: float, now: float) -> str:
    past = max(0.0, now - then)
    return "just now" if past < 60 else f"{duration(past // 60 * 60)} ago"


def uri_of(png: bytes | None) -> str:
    """An image file as a data URI; empty for None."""
    if png is None:
        return ""
    with Image.open(io.BytesIO(png)) as picture:
        plain = picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGBA")
        pixels = np.asarray(plain)
    return data_uri(pixels if pixels.ndim == 3 else pixels[..., None])
