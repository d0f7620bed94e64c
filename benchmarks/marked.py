"""Tables that a benchmark writes into a page of docs, between two marks: `<!-- NAME:begin -->` and `<!-- NAME:end -->`."""

from __future__ import annotations

from pathlib import Path

__all__ = ["fill"]


def fill(page: Path, name: str, content: str) -> None:
    """Puts `content` between the marks of `name` in a page. Raises ValueError where it has none."""
    text, begin, end = page.read_text(encoding="utf-8"), f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{page} has no marks {begin} and {end}")
    page.write_text(f"{before}{begin}\n{content}\n{end}{after}", encoding="utf-8")
