"""`ganglion check`: before training, would this fail, how fast will it be, how much memory does it take?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ganglion.training.check import Check
    from ganglion.vitals.signal import LayerSignal

__all__ = ["check"]


def check(
    source: Annotated[str, typer.Argument(help="The images, as for ganglion train.")],
    recipe: Annotated[str, typer.Option(help="A recipe's name (see: ganglion recipes) or a YAML file.")] = "auto",
    size: Annotated[str | None, typer.Option(help="64, or 96x64 for height x width.")] = None,
    kimg: Annotated[float | None, typer.Option(help="Length of the run that is planned.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Length of the run that is planned.")] = None,
    batch: Annotated[int | None, typer.Option(help="Real images in a step.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str | None, typer.Option(help="auto, 32 or bf16.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="A local copy of a named data set.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any value of the recipe.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look at images, first weights and speed before training: would this fail, and how long will it take?"""
    from ganglion.training.check import check as look

    found = look(
        source, recipe=recipe, size=size, kimg=kimg, minutes=minutes, batch=batch, device=device, precision=precision,
        data_dir=data_dir, set=set_ or [],
    )  # fmt: skip
    typer.echo(json.dumps(found.to_json(), indent=1) if as_json else _page(found))


def _page(found: Check) -> str:
    marks = {"fine": "ok", "watch": "watch", "failing": "FAILING"}
    return "\n".join([
        f"Recipe {found.recipe}, {found.images:,} images: {found.state}",
        *(f"  {marks[r.level]:8}{r.topic:15}{r.text}" for r in found.remarks),
        "At the first step, size of the output and of the gradient of each layer:",
        *_layers("G", found.signals_g),
        *_layers("D", found.signals_d),
        f"Speed: {found.images_per_sec:,.0f} images/s here, so {found.kimg:,.0f} kimg in {_time(found.minutes)}; "
        f"memory {'unknown here' if found.memory_gb is None else f'{found.memory_gb:.1f} GiB so far'}",
    ])  # fmt: skip


def _layers(network: str, layers: list[LayerSignal]) -> list[str]:
    return [f"  {network} {layer.name:32}{layer.output:10.3g}{layer.gradient:12.3g}" for layer in layers]


def _time(minutes: float) -> str:
    if minutes < 90:
        return f"{minutes:.1f} minutes"
    return f"{minutes / 60:.1f} hours" if minutes < 60 * 48 else f"{minutes / 1440:.1f} days"
