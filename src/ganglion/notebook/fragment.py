"""HTML of results for notebooks, from the templates of `page/`, which escape all that they are given.

A fragment brings its style along, asks the network for nothing and has no script. Colours are those of the text around it, so
that it is readable in light and dark themes; without its style, as some viewers show it, text and images remain.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["fragment"]


PAGE = Path(__file__).parent / "page"


def fragment(template: str, **content: Any) -> str:
    """A template of `page/` as one `<div>`, with its style."""
    inner = _templates().get_template(template).render(**content)
    return f'<div class="ganglion"><style>{_style()}</style>{inner}</div>'


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    found.filters |= {"count": _count, "short": _short, "by_value": _by_value}
    return found


@cache
def _style() -> str:
    lines = (PAGE / "notebook.css").read_text(encoding="utf-8").splitlines()
    return "".join(line.strip() for line in lines)


def _count(number: float) -> str:
    """With commas between thousands."""
    return f"{number:,.0f}"


def _short(number: float) -> str:
    """Four significant digits."""
    return f"{number:.4g}"


def _by_value(mapping: Mapping[str, str]) -> list[tuple[str, str]]:
    """Keys that share a value, joined, with that value: reasons are said once."""
    return [
        (", ".join(key for key in mapping if mapping[key] == value), value) for value in dict.fromkeys(mapping.values())
    ]
