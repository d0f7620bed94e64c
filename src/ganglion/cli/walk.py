"""`ganglion walk`: one latent, moved along dimensions or directions, a row for each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganglion.cli.options import Checkpoint, Device, RunFolder, numbers, pair

__all__ = ["walk"]

SHOWN = 8  # rows where nothing names them


def walk(
    run: RunFolder,
    dims: Annotated[
        str | None, typer.Option(help="Dimensions with commas: 25,50,75. Left out: those that change the image most.")
    ] = None,
    along: Annotated[
        Path | None, typer.Option("--directions", help="A file of ganglion directions: walk along these instead.")
    ] = None,
    reach: Annotated[
        str | None, typer.Option("--range", help="From where to where: -3,3. Left out: by the prior.")
    ] = None,
    steps: Annotated[int, typer.Option(min=2, help="Images in a row.")] = 9,
    seed: Annotated[int, typer.Option(min=0, help="Of the latent that is moved.")] = 0,
    rank: Annotated[bool, typer.Option("--rank", help="Print how much each dimension changes the image.")] = False,
    label: Annotated[str | None, typer.Option(help="The class to draw; for conditional runs.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.png, or FILE.mp4, .gif, .webp: all rows at once. Left out: in the run folder."),
    ] = None,
    checkpoint: Checkpoint = "best",
    device: Device = "cpu",
) -> None:
    """Move one latent along single dimensions, all others fixed; a row for each."""
    from ganglion.latent.directions import load_directions
    from ganglion.latent.model import load
    from ganglion.latent.walk import RANGES, influence, walk_along, walk_dimensions
    from ganglion.training.hardware import choose_device
    from ganglion.training.screen import Screen

    model = load(run, checkpoint, choose_device(device))
    low, high = RANGES[model.latent.prior] if reach is None else pair(reach, "--range")
    z = model.latents(1, seed)[0]
    if along is not None:
        directions = load_directions(along, model.latent.dim)
        rows, names = (
            walk_along(z, directions.vectors, low, high, steps),
            [f"{directions.method} {i}" for i in range(len(directions))],
        )
    else:
        ranked = (
            influence(model, seed, progress=Screen().steps("Measuring dimensions")) if rank or dims is None else None
        )
        order = [] if ranked is None else ranked.argsort()[::-1].tolist()
        chosen = order[:SHOWN] if dims is None else numbers(dims, "--dims")
        if rank and ranked is not None:
            typer.echo("\n".join(f"{dim:5}  {ranked[dim]:.4f}" for dim in order))
        try:
            rows = walk_dimensions(z, chosen, low, high, steps)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--dims") from None
        names = [f"dim {dim}" for dim in chosen]
    target = out or run / "latent" / ("walk.png" if along is None else f"walk-{along.stem}.png")
    _write(model, rows, names, label, target)
    typer.echo(f"{len(rows)} rows of {steps}, from {low:g} to {high:g}: {target}", err=rank)


def _write(model: object, rows: object, names: list[str], label: str | None, target: Path) -> None:
    import numpy as np
    from torch import Tensor

    from ganglion.data.sheet import save_image
    from ganglion.latent.film import FILMS, write_film
    from ganglion.latent.model import Model
    from ganglion.latent.pictures import labelled_rows

    assert isinstance(model, Model)
    assert isinstance(rows, Tensor)
    labels = model.labels(1, 0, label)
    flat = rows.flatten(0, 1)  # (D*T, Z)
    images = model.pixels(flat, None if labels is None else labels.expand(len(flat)))
    grid = images.reshape(*rows.shape[:2], *images.shape[1:])  # (D, T, H, W, C)
    times = max(1, 48 // grid.shape[2])
    if target.suffix.lower() in FILMS:
        back_and_forth = [*range(grid.shape[1]), *range(grid.shape[1] - 2, 0, -1)]
        write_film(
            (labelled_rows([(n, grid[d, t : t + 1]) for d, n in enumerate(names)], times) for t in back_and_forth),
            target,
            8,
        )
    else:
        save_image(np.asarray(labelled_rows(list(zip(names, grid, strict=True)), times)), target)
