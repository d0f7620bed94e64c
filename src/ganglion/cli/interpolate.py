"""`ganglion interpolate`: from latent to latent, as a sheet or a film."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganglion.cli.options import Checkpoint, Device, RunFolder, class_of, numbers, with_ending

__all__ = ["interpolate"]


def interpolate(
    run: RunFolder,
    seeds: Annotated[str, typer.Option(help="Seeds of the latents on the way, with commas: 1,7,42.")] = "0,1,2,3",
    frames: Annotated[int, typer.Option(min=1, help="Frames from one to the next.")] = 10,
    loop: Annotated[bool, typer.Option("--loop", help="Go on from the last one to the first.")] = False,
    label: Annotated[str | None, typer.Option(help="The class to draw; for conditional runs.")] = None,
    fps: Annotated[float, typer.Option(min=1, help="Frames a second of a film.")] = 24,
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.png (a row a piece), FILE.mp4, .gif or .webp. Left out: in the run folder."),
    ] = None,
    checkpoint: Checkpoint = "best",
    device: Device = "cpu",
) -> None:
    """Draw the way from latent to latent: spherical under a normal prior, straight under a uniform one."""
    import torch

    from ganglion.data.sheet import displayed, save_image, sheet
    from ganglion.latent.film import FILMS, enlarged, write_film
    from ganglion.latent.model import load
    from ganglion.latent.paths import path_through
    from ganglion.training.hardware import choose_device

    with_ending(out, (".png", *FILMS), "--out")
    chosen = numbers(seeds, "--seeds")
    if len(chosen) < 2:
        raise typer.BadParameter("a way needs at least two seeds", param_hint="--seeds")
    model = load(run, checkpoint, choose_device(device))
    stops = torch.cat([model.latents(1, seed) for seed in chosen])
    way = path_through(stops, frames, model.latent.prior, loop)
    images = model.pixels(way, class_of(model, label))
    target = out or run / "latent" / "interpolation.png"
    if target.suffix.lower() in FILMS:
        write_film((enlarged(displayed(image, model.shown_channels)) for image in images), target, fps)
    else:
        save_image(sheet(images, columns=frames, channels=model.shown_channels), target)
    typer.echo(f"{len(images)} frames through {len(chosen)} latents: {target}")
