"""The `ganglion` command: its sub-commands, and how errors become messages and exit codes.

Exit codes: 0 done, 1 the input is wrong, 2 wrong usage, 3 training failed, 130 interrupted after a clean save.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from ganglion.cli import data, draw, edit, results, train
from ganglion.errors import GanglionError

__all__ = ["any_character", "app", "main"]


app = typer.Typer(
    name="ganglion",
    help="Trains GANs that converge, and says why when one does not.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    train.train, data.data, train.check, data.recipes, draw.sample, results.diagnose, results.evaluate,
    draw.interpolate, draw.walk, edit.directions, edit.project, edit.complete, results.report, results.compare,
    results.timeline, data.env,
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


def main(run: Callable[[], object] = app, windows: bool = os.name == "nt") -> None:
    """The entry point: a person's mistake ends in one or two lines, never in a traceback."""
    any_character(sys.stdout)
    any_character(sys.stderr)
    try:
        run()
    except GanglionError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print_error("stopped at once; the last checkpoint is intact, and the same command goes on from it")
        sys.exit(130)
    except OSError as error:
        if not reader_left(error, windows):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is still in the buffer
        sys.exit(1)


def reader_left(error: OSError, windows: bool) -> bool:
    """Whether the reader of our output went away, as in `ganglion recipes | head -1`; Windows says EINVAL for it."""
    return error.errno == errno.EPIPE or (windows and error.errno == errno.EINVAL and error.filename is None)


def any_character(stream: object) -> None:
    """Makes every character printable: a pipe or a file is UTF-8, as recipes and JSON are; a terminal shows an escape.

    Windows gives pipes and files the encoding of the country instead, which lacks most of what a file name may hold.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")


def print_error(text: str) -> None:
    lead = typer.style("error:", fg="red", bold=True) if sys.stderr.isatty() else "error:"
    typer.echo(f"{lead} {text}", err=True)


if __name__ == "__main__":
    main()
