"""Options that several commands share, each once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Checkpoint", "Device", "RunFolder", "numbers", "pair"]

RunFolder = Annotated[Path, typer.Argument(help="A run folder.", show_default=False)]
Checkpoint = Annotated[str, typer.Option(help="best, latest or a step.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]


def numbers(text: str, option: str) -> list[int]:
    """`1,7,42` as whole numbers. Raises BadParameter."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise typer.BadParameter(
            f"whole numbers with commas, such as 1,7,42; got {text!r}", param_hint=option
        ) from None


def pair(text: str, option: str) -> tuple[float, float]:
    """`-3,3` as two numbers, the smaller one first. Raises BadParameter."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"two numbers with a comma, such as -3,3; got {text!r}", param_hint=option) from None
    if not low < high:
        raise typer.BadParameter(f"the first number is the smaller one; got {text!r}", param_hint=option)
    return low, high
