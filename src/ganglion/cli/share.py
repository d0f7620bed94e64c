"""`ganglion push`: a run to the Hugging Face Hub."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ganglion.cli.options import Checkpoint, RunFolder

__all__ = ["push"]


def push(
    run: RunFolder,
    repository: Annotated[
        str, typer.Argument(metavar="OWNER/NAME", help="On the Hugging Face Hub.", show_default=False)
    ],
    licence: Annotated[
        str | None,
        typer.Option("--licence", "--license", help="What others may do with the model: mit, cc-by-4.0, ... or other."),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="A new repository is private.")] = False,
    branch: Annotated[
        str | None, typer.Option("--branch", "--revision", help="Made if it is not there. Default: main.")
    ] = None,
    checkpoint: Checkpoint = "best",
    space: Annotated[
        bool, typer.Option("--space", help="Also a Space: a page to explore the generator in; needs the extra export.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent, with sizes; needs no network.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the files into this folder as well, to be looked at.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Send a run's generator to the Hugging Face Hub, with a model card; ganglion.load("hf:OWNER/NAME") reads it."""
    from ganglion.sharing.push import push as send

    if licence is None and not dry_run and sys.stdin.isatty():
        licence = _asked()
    done = send(
        run,
        repository,
        licence,
        private=private,
        branch=branch,
        checkpoint=checkpoint,
        space=space,
        dry_run=dry_run,
        out=out,
    )
    typer.echo(json.dumps(done.to_json(), indent=1) if as_json else done.text())


def _asked() -> str:
    """The licence, from the terminal."""
    from ganglion.sharing.licences import COMMON

    answer: str = typer.prompt(f"Licence, which says what others may do with the model ({', '.join(COMMON)})", err=True)
    return answer
