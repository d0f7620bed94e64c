"""`ganglion compare`: runs over each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["compare"]


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Two run folders or more.", show_default=False)],
    out: Annotated[Path, typer.Option(help="FILE.html.")] = Path("compare.html"),
) -> None:
    """Lay runs over each other: what differs in their recipes, and what came of it."""
    from ganglion.report.compare import compare as found
    from ganglion.report.compare import write_comparison

    comparison = found(runs)
    typer.echo(comparison.text())
    typer.echo(f"\n{write_comparison(comparison, out)}")
