"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.cli import completion

if TYPE_CHECKING:
    from torch import Tensor

    from ganglion.latent.model import Model

__all__ = [
    "Checkpoint", "Device", "Devices", "ModelFolder", "RunFolder", "class_of", "numbers", "pair", "with_ending",
    "written_to",
]  # fmt: skip


RunFolder = Annotated[Path, typer.Argument(help="A run folder.", show_default=False, autocompletion=completion.runs)]
ModelFolder = Annotated[
    Path,
    typer.Argument(
        help="A run folder, a FILE.safetensors, or hf:OWNER/NAME.", show_default=False, autocompletion=completion.runs
    ),
]
Checkpoint = Annotated[str, typer.Option(help="best, latest or a step.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Devices = Annotated[int, typer.Option(min=1, help="Processes that draw a share of the images each.")]


def written_to(run: Path) -> Path:
    """Where a command writes unless told otherwise: the run folder; of a single FILE.safetensors, a folder FILE beside it; of
    hf:OWNER/NAME, the folder NAME here."""
    from ganglion.hub.names import hub_model, is_hub_model

    if is_hub_model(run):
        return Path(hub_model(run).name)
    return run.with_suffix("") if run.is_file() else run


def numbers(text: str, option: str) -> list[int]:
    """`1,7,42` as non-negative integers, at least one. Raises BadParameter."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isascii() and part.isdecimal() for part in parts):
        raise typer.BadParameter(
            f"expected non-negative integers, separated by commas, such as 1,7,42; got {text!r}", param_hint=option
        )
    return [int(part) for part in parts]


def pair(text: str, option: str) -> tuple[float, float]:
    """`-3,3` as two numbers, the smaller one first. Raises BadParameter."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"expected two numbers, separated by a comma, such as -3,3; got {text!r}", param_hint=option
        ) from None
    if not -math.inf < low < high < math.inf:
        raise typer.BadParameter(f"the first number must be the smaller one; got {text!r}", param_hint=option)
    return low, high


def with_ending(path: Path | None, endings: Sequence[str], option: str) -> None:
    """Checks the file's suffix before any work is done. Raises BadParameter."""
    if path is not None and path.suffix.lower() not in endings:
        raise typer.BadParameter(f"expected a file that ends in {' or '.join(endings)}; got {path}", param_hint=option)


def class_of(model: Model, label: str | None, of_image: bool = False) -> Tensor | None:
    """The class `label` (1,), or a random one; attributes as a condition vector (1, K); None without. Raises BadParameter,
    also where there is no label and it is that `of_image`, a given one.

    Says so where no training image has such attributes.
    """
    if of_image and label is None and (model.classes or model.attributes):
        names = ", ".join(model.classes[:12]) or ", ".join(f"{one.example}..." for one in model.attributes[:6])
        raise typer.BadParameter(f"say what the image shows, such as {names}", param_hint="--label")
    try:
        if remark := model.remark(label):
            typer.echo(f"--label {label}: {remark}", err=True)
        return model.labels(1, 0, label)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--label") from None
