"""`ganglion sample`, `interpolate` and `walk`: images from a trained generator."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.cli.options import (
    Checkpoint,
    Device,
    Devices,
    ModelFolder,
    class_of,
    numbers,
    pair,
    with_ending,
    written_to,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from ganglion.latent.model import Model
    from ganglion.pictures.sheets import ShownChannels

__all__ = ["interpolate", "sample", "walk"]

NOT_IN_A_NAME = re.compile(r"[^\w=,.+ -]")


def sample(
    run: ModelFolder,
    n: Annotated[int, typer.Option("--n", min=1, help="Number of images.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal images.")] = 0,
    label: Annotated[
        str | None,
        typer.Option(
            help="The class to sample, by name or number, or attributes: smiling=1,age=30; for conditional runs."
        ),
    ] = None,
    truncation: Annotated[
        float,
        typer.Option(min=0, max=1, help="Below 1: latents nearer to the mean, for more typical, less diverse images."),
    ] = 1.0,
    checkpoint: Annotated[str, typer.Option(help="best, latest or a step.")] = "best",
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.png (a sheet), FILE.npy (N, H, W, C) or a folder. Default: in the run folder."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "cpu",
    devices: Devices = 1,
) -> None:
    """Generate N images with a run's generator."""
    from ganglion.latent.model import load
    from ganglion.platform.devices import choose_device

    model = load(run, checkpoint, choose_device(device, devices))
    class_of(model, label)
    name = f"seed-{seed}" if label is None else f"{NOT_IN_A_NAME.sub('_', label)}-seed-{seed}"
    name += f"-truncation-{truncation:g}" if truncation < 1 else ""
    target = out or written_to(run) / "samples" / f"{name}.png"
    chunks = model.sample_chunks(n, seed, label, truncation, devices)
    _write_samples(chunks, n, target, model.shown_channels)
    typer.echo(f"{n} images of {model.origin}: {target}")


def _write_samples(chunks: Iterator[NDArray[np.uint8]], n: int, target: Path, channels: ShownChannels) -> None:
    """Each image is written when it has been made, but for a sheet, which holds all of them."""
    import numpy as np

    from ganglion.pictures.sheets import save_image, sheet

    if target.suffix.lower() == ".png":
        save_image(sheet(np.concatenate(list(chunks)), channels=channels), target)
    elif target.suffix.lower() == ".npy":
        _write_array(chunks, n, target)
    elif target.suffix and not target.is_dir():
        raise typer.BadParameter(f"--out is FILE.png, FILE.npy or a folder; got {target}")
    else:
        for i, image in enumerate(image for chunk in chunks for image in chunk):
            save_image(image, target / f"{i:06d}.png", channels)


def _write_array(chunks: Iterator[NDArray[np.uint8]], n: int, target: Path) -> None:
    """The chunks, n images in all, as one NumPy file (n, H, W, C)."""
    import numpy as np

    from ganglion.platform.files import storage_errors

    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            for number, chunk in enumerate(chunks):
                if number == 0:
                    shape = (n, *chunk.shape[1:])
                    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
                file.write(np.ascontiguousarray(chunk).data)


def interpolate(
    run: ModelFolder,
    seeds: Annotated[str, typer.Option(help="Seeds of the latents, separated by commas: 1,7,42.")] = "0,1,2,3",
    frames: Annotated[int, typer.Option(min=1, help="Frames from one latent to the next.")] = 10,
    loop: Annotated[bool, typer.Option("--loop", help="Return from the last latent to the first.")] = False,
    label: Annotated[str | None, typer.Option(help="The class or attributes to sample; for conditional runs.")] = None,
    fps: Annotated[float, typer.Option(min=1, help="Frames per second of a video.")] = 24,
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.png (one row per pair), FILE.mp4, .gif or .webp. Default: in the run folder."),
    ] = None,
    checkpoint: Checkpoint = "best",
    device: Device = "cpu",
) -> None:
    """Interpolate between latents: spherical under a normal prior, linear under a uniform one."""
    import numpy as np
    import torch

    from ganglion.latent.model import load
    from ganglion.latent.walk import path_through
    from ganglion.pictures.films import FILMS, enlarged, write_film
    from ganglion.pictures.sheets import display_channels, save_image, sheet
    from ganglion.platform.devices import choose_device

    with_ending(out, (".png", *FILMS), "--out")
    chosen = numbers(seeds, "--seeds")
    if len(chosen) < 2:
        raise typer.BadParameter("interpolation needs at least two seeds", param_hint="--seeds")
    model = load(run, checkpoint, choose_device(device))
    stops = torch.cat([model.latents(1, seed) for seed in chosen])
    path = path_through(stops, frames, model.latent.prior, loop)
    images = model.pixels(path, class_of(model, label))
    target = out or written_to(run) / "latent" / "interpolation.png"
    if target.suffix.lower() in FILMS:
        write_film((enlarged(display_channels(image, model.shown_channels)) for image in images), target, fps)
    else:
        pieces = len(chosen) if loop else len(chosen) - 1
        places = np.arange(pieces)[:, None] * frames + np.arange(frames + 1)  # a row ends with the next one's latent
        shown = images[places.ravel() % len(images)]
        save_image(sheet(shown, columns=frames + 1, channels=model.shown_channels), target)
    typer.echo(f"{len(images)} frames through {len(chosen)} latents: {target}")


SHOWN = 8  # default number of rows


def walk(
    run: ModelFolder,
    dims: Annotated[
        str | None,
        typer.Option(help="Dimensions, separated by commas: 25,50,75. Default: those that change the image most."),
    ] = None,
    along: Annotated[
        Path | None, typer.Option("--directions", help="A file of ganglion directions: walk along these instead.")
    ] = None,
    reach: Annotated[
        str | None, typer.Option("--range", help="First and last value of the coordinate: -3,3. Default: by the prior.")
    ] = None,
    steps: Annotated[int, typer.Option(min=2, help="Images per row.")] = 9,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the latent.")] = 0,
    rank: Annotated[bool, typer.Option("--rank", help="Print how much each dimension changes the image.")] = False,
    label: Annotated[str | None, typer.Option(help="The class or attributes to sample; for conditional runs.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.png, or FILE.mp4, .gif, .webp: all rows at once. Default: in the run folder."),
    ] = None,
    checkpoint: Checkpoint = "best",
    device: Device = "cpu",
) -> None:
    """Vary single dimensions of one latent, all others fixed; one row per dimension."""
    from ganglion.latent.directions import load_directions
    from ganglion.latent.model import load
    from ganglion.latent.walk import RANGES, walk_along, walk_dimensions
    from ganglion.pictures.films import FILMS
    from ganglion.platform.devices import choose_device

    with_ending(out, (".png", *FILMS), "--out")
    bounds = None if reach is None else pair(reach, "--range")
    requested = None if dims is None else numbers(dims, "--dims")
    if along is not None and (rank or requested is not None):
        raise typer.BadParameter("use either --directions or --dims and --rank, not both", param_hint="--directions")
    model = load(run, checkpoint, choose_device(device))
    labels = class_of(model, label)
    low, high = bounds or RANGES[model.latent.prior]
    z = model.latents(1, seed)[0]
    if along is not None:
        directions = load_directions(along, model.latent.dim)
        rows = walk_along(z, directions.vectors, low, high, steps)
        names = list(directions.names) or [f"{directions.method} {i}" for i in range(len(directions))]
    else:
        chosen = _dimensions(model, requested, rank, seed, labels)
        rows = walk_dimensions(z, chosen, low, high, steps)
        names = [f"dim {dim}" for dim in chosen]
    target = out or written_to(run) / "latent" / ("walk.png" if along is None else f"walk-{along.stem}.png")
    _write_walk(model, rows, names, labels, target)
    typer.echo(f"{len(rows)} rows of {steps}, from {low:g} to {high:g}: {target}", err=rank)


def _dimensions(model: Model, requested: list[int] | None, rank: bool, seed: int, labels: Tensor | None) -> list[int]:
    """The requested dimensions, or those that change the image most; with `rank` all are printed, largest change first."""
    from ganglion.latent.walk import influence
    from ganglion.platform.screen import Screen

    wrong = [dim for dim in requested or [] if dim >= model.latent.dim]
    if wrong:  # before anything is measured
        raise typer.BadParameter(
            f"z has the dimensions 0 to {model.latent.dim - 1}; there is no {wrong[0]}", param_hint="--dims"
        )
    if requested is not None and not rank:
        return requested
    ranked = influence(model, seed, labels=labels, progress=Screen().steps("Measuring dimensions"))
    order: list[int] = ranked.argsort()[::-1].tolist()
    if rank:
        typer.echo("\n".join(f"{dim:5}  {ranked[dim]:.4f}" for dim in order))
    return order[:SHOWN] if requested is None else requested


def _write_walk(model: Model, rows: Tensor, names: list[str], labels: Tensor | None, target: Path) -> None:
    import numpy as np

    from ganglion.pictures.films import FILMS, write_film
    from ganglion.pictures.sheets import labelled_rows, save_image

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
