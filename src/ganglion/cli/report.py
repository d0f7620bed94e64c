"""`ganglion report`: a run at a glance, in one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganglion.cli.options import RunFolder

__all__ = ["report"]


def report(
    run: RunFolder,
    out: Annotated[Path | None, typer.Option(help="FILE.html. Left out: report.html in the run folder.")] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Write every chart and picture into this folder instead.", show_default=False)
    ] = None,
    kind: Annotated[str, typer.Option("--format", help="Of the charts of --figures: svg or png.")] = "svg",
) -> None:
    """Show a run: verdict, samples over training, vitals, latent space, recipe; one file that needs no network."""
    from ganglion.report.figures import FORMATS, write_figures
    from ganglion.report.report import write_report

    if kind not in FORMATS:
        raise typer.BadParameter(f"{' or '.join(FORMATS)}; got {kind!r}", param_hint="--format")
    if figures is not None:
        written = write_figures(run, figures, kind)
        typer.echo(f"{len(written)} figures: {figures}")
        return
    target = write_report(run, out)
    typer.echo(f"{target} ({target.stat().st_size / 1e6:.1f} MB)")
