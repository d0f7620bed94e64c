"""`ganglion diagnose`: is this training well, and if not, why not?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["diagnose"]


def diagnose(
    path: Annotated[
        Path,
        typer.Argument(
            help="A run, a TensorBoard folder, a CSV, a JSONL, or captured console output.", show_default=False
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say whether a training is well, and if not, what is wrong, what shows it and what to do."""
    from ganglion.doctor.diagnose import diagnose as examine

    verdict = examine(path)
    typer.echo(json.dumps(verdict.to_json(), indent=1) if as_json else verdict.text())
