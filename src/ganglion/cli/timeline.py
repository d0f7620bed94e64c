"""`ganglion timeline`: training as a film."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganglion.cli.options import RunFolder

__all__ = ["timeline"]


def timeline(
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option(help="FILE.mp4, FILE.gif or FILE.webp. Left out: timeline.mp4 in the run folder.")
    ] = None,
    sheets: Annotated[str, typer.Option(help="fixed: the same latents at each snapshot; fresh: new ones.")] = "fixed",
    fps: Annotated[float, typer.Option(min=0.5, max=60, help="Snapshots a second.")] = 8,
) -> None:
    """Show training as a film: a frame for each snapshot."""
    from ganglion.report.timeline import SHEETS, write_timeline

    if sheets not in SHEETS:
        raise typer.BadParameter(f"{' or '.join(SHEETS)}; got {sheets!r}", param_hint="--sheets")
    target = out or run / "timeline.mp4"
    typer.echo(f"{write_timeline(run, target, sheets, fps)} frames: {target}")
