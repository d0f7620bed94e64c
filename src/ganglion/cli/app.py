"""The `ganglion` command: its sub-commands, and how errors become messages and exit codes.

Exit codes: 0 done, 1 the input is wrong, 2 wrong usage, 3 training failed, 130 interrupted.
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

from ganglion.cli import data, draw, edit, export, results, share, studio, train
from ganglion.errors import GanglionError

__all__ = ["any_character", "app", "main"]


app = typer.Typer(
    name="ganglion",
    help="Train GANs, and diagnose training runs that fail.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
INTERRUPTED = 130
COMMANDS = (
    train.train, data.data, train.check, data.recipes, draw.sample, results.diagnose, results.evaluate,
    draw.interpolate, draw.walk, edit.directions, edit.project, edit.complete, results.report, results.compare,
    results.timeline, export.export, share.push, studio.studio, data.env,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)


def print_version(requested: bool) -> None:
    if requested:
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
    """The entry point: an error caused by input prints one or two lines, not a traceback."""
    any_character(sys.stdout)
    any_character(sys.stderr)
    try:
        run()
    except GanglionError as error:
        if not error.told:
            print_error(str(error))
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit) as error:  # Typer makes an exit of Ctrl-C
        if not was_interrupted(error):
            raise
        print_error("stopped at once")
        sys.exit(INTERRUPTED)
    except OSError as error:
        if not is_broken_pipe(error, windows):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # discards the rest of the buffer
        sys.exit(1)


def was_interrupted(error: BaseException) -> bool:
    """Whether it is Ctrl-C, or what was made of it."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, KeyboardInterrupt):
        found = found.__cause__ or found.__context__
    return found is not None


def is_broken_pipe(error: OSError, windows: bool) -> bool:
    """Whether the reader of our output has closed the pipe, as in `ganglion recipes | head -1`; EINVAL on Windows."""
    return error.errno == errno.EPIPE or (windows and error.errno == errno.EINVAL and error.filename is None)


def any_character(stream: object) -> None:
    """Makes every character printable: pipes and files are written as UTF-8; a terminal shows an escape.

    The default encoding of pipes and files on Windows lacks many characters of file names.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")


def print_error(text: str) -> None:
    from ganglion.platform.screen import clean_terminal

    clean_terminal()
    lead = typer.style("error:", fg="red", bold=True) if sys.stderr.isatty() else "error:"
    typer.echo(f"{lead} {text}", err=True)


if __name__ == "__main__":
    main()
