"""The `ganglion` command: its sub-commands, and how errors become messages and exit codes.

Exit codes: 0 done, 1 the input is wrong, 2 wrong usage, 3 training failed, 130 interrupted after a clean save.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from ganglion.cli import (
    check,
    compare,
    complete,
    data,
    diagnose,
    directions,
    env,
    evaluate,
    interpolate,
    project,
    recipes,
    report,
    sample,
    timeline,
    train,
    walk,
)
from ganglion.errors import GanglionError

__all__ = ["app", "main"]

app = typer.Typer(
    name="ganglion",
    help="Trains GANs that converge, and says why when one does not.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    train.train, data.data, check.check, recipes.recipes, sample.sample, diagnose.diagnose, evaluate.evaluate,
    interpolate.interpolate, walk.walk, directions.directions, project.project, complete.complete, report.report,
    compare.compare, timeline.timeline, env.env,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)


def print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("ganglion"))
        raise typer.Exit


@app.callback()
def ganglion(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=print_version)
    ] = False,
) -> None:
    """Options before a command."""


def main() -> None:
    """The entry point: a person's mistake ends in one or two lines, never in a traceback."""
    try:
        app()
    except GanglionError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print_error("stopped at once; the last checkpoint is intact, and the same command goes on from it")
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away, as in `ganglion recipes | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def print_error(text: str) -> None:
    lead = typer.style("error:", fg="red", bold=True) if sys.stderr.isatty() else "error:"
    typer.echo(f"{lead} {text}", err=True)


if __name__ == "__main__":
    main()
