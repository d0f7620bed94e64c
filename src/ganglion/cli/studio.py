"""`ganglion studio`: runs in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["studio"]


def studio(
    folder: Annotated[
        Path, typer.Argument(help="The folder with runs, in which new ones are made; or one run.")
    ] = Path("runs"),
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: the first free one from 7860 on.", show_default=False)
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="An address at which other machines reach it, such as 0.0.0.0; with --password only. Default: this machine.",
            show_default=False,
        ),
    ] = None,
    password: Annotated[
        str | None,
        typer.Option(
            envvar="GANGLION_STUDIO_PASSWORD", help="What the browser asks for, with any user name.", show_default=False
        ),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address and open nothing.")] = False,
) -> None:
    """Show runs in the browser while they train, start and stop trainings, read logs. Ctrl-C ends it; trainings go on."""
    from ganglion.studio.server import studio as serve

    serve(folder, port=port, host=host, password=password, browser=not no_browser, say=typer.echo)
