"""`ganglion walk`: one latent, moved along dimensions or directions, a row for each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.cli.options import Checkpoint, Device, RunFolder, class_of, numbers, pair, with_ending

if TYPE_CHECKING:
    from torch import Tensor

    from ganglion.latent.model import Model

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
    from ganglion.latent.film import FILMS
    from ganglion.latent.model import load
    from ganglion.latent.walk import RANGES, walk_along, walk_dimensions
    from ganglion.training.hardware import choose_device

    with_ending(out, (".png", *FILMS), "--out")
    bounds = None if reach is None else pair(reach, "--range")
    wanted = None if dims is None else numbers(dims, "--dims")
    if along is not None and (rank or wanted is not None):
        raise typer.BadParameter("a walk goes along --directions or along --dims, not both", param_hint="--directions")
    model = load(run, checkpoint, choose_device(device))
    labels = class_of(model, label)
    low, high = bounds or RANGES[model.latent.prior]
    z = model.latents(1, seed)[0]
    if along is not None:
        directions = load_directions(along, model.latent.dim)
        rows = walk_along(z, directions.vectors, low, high, steps)
        names = [f"{directions.method} {i}" for i in range(len(directions))]
    else:
        chosen = _dimensions(model, wanted, rank, seed, labels)
        rows = walk_dimensions(z, chosen, low, high, steps)
        names = [f"dim {dim}" for dim in chosen]
    target = out or run / "latent" / ("walk.png" if along is None else f"walk-{along.stem}.png")
    _write(model, rows, names, labels, target)
    typer.echo(f"{len(rows)} rows of {steps}, from {low:g} to {high:g}: {target}", err=rank)


def _dimensions(model: Model, wanted: list[int] | None, rank: bool, seed: int, labels: Tensor | None) -> list[int]:
    """Those that are wanted, or those that change the image most; with `rank` all are printed, strongest first."""
    from ganglion.latent.walk import influence
    from ganglion.training.screen import Screen

    wrong = [dim for dim in wanted or [] if dim >= model.latent.dim]
    if wrong:  # told before anything is measured
        raise typer.BadParameter(
            f"z has the dimensions 0 to {model.latent.dim - 1}; there is no {wrong[0]}", param_hint="--dims"
        )
    if wanted is not None and not rank:
        return wanted
    ranked = influence(model, seed, labels=labels, progress=Screen().steps("Measuring dimensions"))
    order: list[int] = ranked.argsort()[::-1].tolist()
    if rank:
        typer.echo("\n".join(f"{dim:5}  {ranked[dim]:.4f}" for dim in order))
    return order[:SHOWN] if wanted is None else wanted


def _write(model: Model, rows: Tensor, names: list[str], labels: Tensor | None, target: Path) -> None:
    import numpy as np

    from ganglion.data.sheet import save_image
    from ganglion.latent.film import FILMS, write_film
    from ganglion.latent.pictures import labelled_rows

    flat = rows.flatten(0, 1)  # (D*T, Z)
    images = model.pixels(flat, labels)
    grid = images.reshape(*rows.shape[:2], *images.shape[1:])  # (D, T, H, W, C)
    times = max(1, 48 // grid.shape[2])
    if target.suffix.lower() in FILMS:
        back_and_forth = [*range(grid.shape[1]), *range(grid.shape[1] - 2, 0, -1)]
        write_film(
            (
                labelled_rows(
                    [(n, grid[d, t : t + 1]) for d, n in enumerate(names)], times, channels=model.shown_channels
                )
                for t in back_and_forth
            ),
            target,
            8,
        )
    else:
        rows_drawn = labelled_rows(list(zip(names, grid, strict=True)), times, channels=model.shown_channels)
        save_image(np.asarray(rows_drawn), target)
