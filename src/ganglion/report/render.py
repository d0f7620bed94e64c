"""Fills the page's templates; style, script and the charting library are embedded, so that the file needs no network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganglion.data.prepare import cache_folder
from ganglion.errors import StorageError
from ganglion.platform.files import write_atomically
from ganglion.report.panels import Panel

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["chart_functions", "for_script", "library", "render", "stylesheet"]


PAGE = Path(__file__).parent / "page"


def render(template: str, panels: Sequence[Panel], **content: Any) -> str:
    """A template of `page/` as HTML. All content is escaped except our own scripts and data URIs."""
    from markupsafe import Markup

    charts = [
        {"name": panel.name, "scale": panel.scale, "other": panel.other_scale, "spec": panel.spec} for panel in panels
    ]
    return _templates().get_template(template).render(
        panels=panels, panels_json=for_script(charts), version=version("ganglion"), css=Markup(stylesheet()),
        vega=Markup(library()), script=Markup(chart_functions() + _text("page.js")), **content,
    )  # fmt: skip


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed, 0.9 MB. Bundling takes a second or more, so the result is kept in the cache folder."""
    import vl_convert

    kept = cache_folder() / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError, UnicodeDecodeError):
        return kept.read_text(encoding="utf-8")
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")
    with suppress(OSError, StorageError):  # a folder that cannot be written
        write_atomically(kept, bundle.encode())
    return bundle


def for_script(tree: Any) -> Any:
    """JSON that is safe between script tags."""
    from markupsafe import Markup

    return Markup(json.dumps(tree, separators=(",", ":")).replace("<", "\\u003c"))


def chart_functions() -> str:
    """The script by which charts look and zoom alike on all pages."""
    return _text("charts.js")


def stylesheet() -> str:
    """The style of our pages: colours by theme, type, tables, figures."""
    return _text("page.css")


def _text(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")
