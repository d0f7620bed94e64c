"""Altair charts as SVG or PNG files, without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ganglion.platform.files import write_atomically

if TYPE_CHECKING:
    import altair

__all__ = ["save_figure"]


def save_figure(chart: altair.TopLevelMixin, path: Path) -> None:
    """Writes SVG or PNG, by the file's suffix. Raises StorageError."""
    import vl_convert

    spec = chart.to_dict()
    if path.suffix.lower() == ".svg":
        write_atomically(path, vl_convert.vegalite_to_svg(spec).encode())
    else:
        write_atomically(path, vl_convert.vegalite_to_png(spec, scale=2))
